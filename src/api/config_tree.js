// Configuration files as trees that know where everything stands, whatever the format.
//
// A node is {kind, where, …}: kind is 'table' (keys: Map of name to {node, where}), 'list' (items), 'string', 'number',
// 'boolean' or 'null' (value). where is 'FILE:LINE', as messages begin. toValue() gives the plain JavaScript value.
import { parseTree, printParseErrorCode } from 'jsonc-parser/lib/esm/main.js';
import { parseTOML } from 'toml-eslint-parser';

// What a file's syntax must be like, thrown as it is found: the text begins with FILE:LINE.
export class ConfigError extends Error {}

const JSON_HINTS = {
  InvalidSymbol: 'unknown word; strings need double quotes',
  PropertyNameExpected: 'expected a name in double quotes',
  ValueExpected: 'expected a value',
  ColonExpected: 'expected ":" behind the name',
  CommaExpected: 'expected "," (is one missing at the end of the line above?)',
  CloseBraceExpected: 'expected "}"',
  CloseBracketExpected: 'expected "]"',
  EndOfFileExpected: 'expected nothing behind the last "}"',
  UnexpectedEndOfString: 'this string has no closing quote',
  UnexpectedEndOfComment: 'this comment has no end',
  InvalidNumberFormat: 'this is no number',
  InvalidEscapeCharacter: 'unknown escape in a string',
  InvalidCharacter: 'unexpected character',
};

// Offsets to lines, by halving.
function lineFinder(text) {
  const starts = [0];

  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;

    while (high - low > 1) {
      const middle = (low + high) >> 1;

      if (starts[middle] <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

function fromJson(json, file, lineOf) {
  const where = `${file}:${lineOf(json.offset)}`;

  if (json.type === 'array') return { kind: 'list', where, items: json.children.map((child) => fromJson(child, file, lineOf)) };
  if (json.type !== 'object') return { kind: json.type, where, value: json.value };
  const keys = new Map();

  for (const { children: [name, value] } of json.children) {
    keys.set(name.value, { where: `${file}:${lineOf(name.offset)}`, node: fromJson(value, file, lineOf) });
  }
  return { kind: 'table', where, keys };
}

// text: JSON with comments and trailing commas.
export function parseJson(text, file) {
  const lineOf = lineFinder(text);
  const errors = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true, allowEmptyContent: true });

  if (errors.length) {
    const { error, offset } = errors[0];
    const code = printParseErrorCode(error);

    throw new ConfigError(`${file}:${lineOf(offset)}: not valid JSON: ${JSON_HINTS[code] ?? code}`);
  }
  return tree ? fromJson(tree, file, lineOf) : { kind: 'table', where: `${file}:1`, keys: new Map() };
}

function fromToml(toml, file) {
  const where = `${file}:${toml.loc.start.line}`;

  if (toml.type === 'TOMLArray') return { kind: 'list', where, items: toml.elements.map((item) => fromToml(item, file)) };
  if (toml.type === 'TOMLInlineTable') return addPairs({ kind: 'table', where, keys: new Map() }, toml.body, file);
  if (toml.kind === 'integer' || toml.kind === 'float') return { kind: 'number', where, value: toml.value };
  if (toml.kind === 'boolean') return { kind: 'boolean', where, value: toml.value };
  return { kind: 'string', where, value: toml.datetime ?? toml.value };
}

// The node under key of a table or an index of a list; made when absent. The parser has refused contradictions.
function child(node, key, where, kind) {
  if (typeof key === 'number') return (node.items[key] ??= { kind: 'table', where, keys: new Map() });
  if (!node.keys.has(key)) {
    node.keys.set(key, { where, node: kind === 'list' ? { kind, where, items: [] } : { kind: 'table', where, keys: new Map() } });
  }
  return node.keys.get(key).node;
}

const keyName = (key) => (key.type === 'TOMLBare' ? key.name : key.value);

function addPairs(table, pairs, file) {
  for (const pair of pairs) {
    const names = pair.key.keys.map(keyName);
    const where = `${file}:${pair.loc.start.line}`;
    let node = table;

    for (const name of names.slice(0, -1)) node = child(node, name, where);
    node.keys.set(names.at(-1), { where, node: fromToml(pair.value, file) });
  }
  return table;
}

// The parser finds a missing value at the beginning of the next line.
function tomlError({ message, lineNumber, column }, file) {
  if (message.startsWith('Unspecified values')) {
    return new ConfigError(`${file}:${column === 0 ? lineNumber - 1 : lineNumber}: not valid TOML: expected a value behind "="`);
  }
  return new ConfigError(`${file}:${lineNumber}: not valid TOML: ${message}`);
}

export function parseToml(text, file) {
  const root = { kind: 'table', where: `${file}:1`, keys: new Map() };
  let program;

  try {
    program = parseTOML(text);
  } catch (error) {
    if (error.lineNumber === undefined) throw error;
    throw tomlError(error, file);
  }
  for (const item of program.body[0].body) {
    if (item.type === 'TOMLKeyValue') {
      addPairs(root, [item], file);
      continue;
    }
    const path = item.resolvedKey;
    const where = `${file}:${item.loc.start.line}`;
    let node = root;

    path.forEach((key, i) => { node = child(node, key, where, typeof path[i + 1] === 'number' ? 'list' : 'table'); });
    addPairs(node, item.body, file);
  }
  return root;
}

export function toValue(node) {
  if (node.kind === 'list') return node.items.map(toValue);
  if (node.kind !== 'table') return node.value;
  return Object.fromEntries([...node.keys].map(([name, { node: value }]) => [name, toValue(value)]));
}

// The other way round, for values that come from no file that a person wrote.
export function fromValue(value, where) {
  if (Array.isArray(value)) return { kind: 'list', where, items: value.map((item) => fromValue(item, where)) };
  if (value === null) return { kind: 'null', where, value };
  if (typeof value !== 'object') return { kind: typeof value, where, value };
  return { kind: 'table', where, keys: new Map(Object.entries(value).map(([name, item]) => [name, { where, node: fromValue(item, where) }])) };
}

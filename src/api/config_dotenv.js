// .env and .dev.vars: NAME=value, one a line; '#' comments, quotes, `export` and values over several lines.
const LINE = /^\s*(?:export\s+)?([\w.-]+)\s*=[^\S\n]*("(?:\\[\s\S]|[^"\\])*"|'[^']*'|`[^`]*`|[^\n#]*)?[^\S\n]*(?:#[^\n]*)?$/gm;
const ESCAPES = { n: '\n', r: '\r', t: '\t' };

function unquote(text) {
  const quote = text[0];

  if (quote === '"') return text.slice(1, -1).replace(/\\([\s\S])/g, (_, c) => ESCAPES[c] ?? c);
  if (quote === "'" || quote === '`') return text.slice(1, -1);
  return text.trim();
}

export function parseDotenv(text) {
  return Object.fromEntries([...text.replace(/\r\n?/g, '\n').matchAll(LINE)].map(([, name, value]) => [name, unquote(value ?? '')]));
}

// Pushpin's routes: `condition target [target …]`, a line each.
//
// A section is `value[,prop[=text]]…`, or only props. Double quotes (with \" and \\ inside) make any part plain text; "#"
// begins a comment. A bad line of a file is warned of and skipped, as Pushpin does: a typo of one customer must not stop the
// others. On the command line it is an error.
import { folderOf, join, kindOf, readText, shown } from './config_path.js';
import { didYouMean } from './config_table.js';

// A line that cannot be used; the message says why.
class LineError extends Error {}
const fail = (text) => { throw new LineError(text); };

const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*$/;
const WILDCARD = /\*./;
const PORT_MAX = 65535;

// --- a line as sections, a section as parts ---

class Scanner {
  #text;
  #at = 0;

  constructor(text) {
    this.#text = text;
  }

  get #c() {
    return this.#text[this.#at];
  }

  #quoted() {
    let out = '';

    for (this.#at++; this.#c !== '"'; this.#at++) {
      if (this.#c === '\\' && this.#at + 1 < this.#text.length) this.#at++;
      if (this.#c === undefined) fail('a quote is not closed');
      out += this.#c;
    }
    this.#at++;
    return out;
  }

  // Up to one of `ends` or the end of the section.
  #word(ends) {
    let out = '';

    while (this.#c !== undefined && !ends.includes(this.#c)) {
      if (this.#c === '"') out += this.#quoted();
      else out += this.#text[this.#at++];
    }
    return out;
  }

  // {name, text}: text is undefined without "=".
  #part() {
    const name = this.#word(' \t,=#');

    if (this.#c !== '=') return { name };
    this.#at++;
    return { name, text: this.#word(' \t,#') };
  }

  // {value, props: [{name, text}]}
  #section() {
    const first = this.#part();
    const section = first.text === undefined ? { value: first.name, props: [] } : { value: '', props: [first] };

    while (this.#c === ',') {
      this.#at++;
      section.props.push(this.#part());
    }
    if (section.props.some(({ name }) => name === '')) fail('expecting prop');
    return section;
  }

  sections() {
    const list = [];

    for (;;) {
      while (this.#c === ' ' || this.#c === '\t') this.#at++;
      if (this.#c === undefined || this.#c === '#') return list;
      list.push(this.#section());
    }
  }
}

// --- props ---

// What a section says, read prop by prop. What nobody asked for is warned of.
class Props {
  #props;
  #asked = new Set();

  constructor(section) {
    this.#props = section.props;
  }

  all(name) {
    this.#asked.add(name);
    return this.#props.filter((prop) => prop.name === name).map((prop) => prop.text ?? '');
  }

  // The last one counts.
  text(name) {
    return this.all(name).at(-1);
  }

  // `debug`, `debug=true`; `debug=false` is off.
  flag(name) {
    const text = this.text(name);

    return text !== undefined && text !== 'false';
  }

  oneOf(name, words) {
    const text = this.text(name);

    if (text === undefined || words.includes(text)) return text;
    fail(`${name} must be set to ${words.map((word) => `'${word}'`).join(' or ')}`);
  }

  // Props that mean something to Pushpin and nothing here.
  unused(problems, where, names) {
    for (const [name, why] of Object.entries(names)) {
      if (this.all(name).length) problems.warn(where, `${name} ${why}, ignored`);
    }
  }

  rest(problems, where) {
    for (const { name } of this.#props) {
      if (!this.#asked.has(name)) problems.warn(where, `unknown property "${name}", ignored${didYouMean(name, this.#asked)}`);
    }
  }
}

/** A key as routes and pushpin.conf have it; "file:PATH" is read here. refuse(text): it cannot be. null: none. */
export function readKey(text, folder, refuse) {
  if (!text) return null;
  if (!text.startsWith('file:')) return { form: 'text', text };
  const path = join(folder, text.slice('file:'.length));

  if (kindOf(path) === 'file') return { form: 'file', text: readText(path), path };
  refuse(`there is no key file ${shown(path)}`);
  return null;
}

function readPem(text, folder) {
  if (!text) return null;
  const path = join(folder, text);

  if (kindOf(path) !== 'file') fail(`there is no file ${shown(path)}`);
  return { text: readText(path), path };
}

// --- targets ---

const NO_ZMQ = 'ZeroMQ targets (zhttp/, zhttpreq/) are not supported';

function splitAddress(value) {
  const colon = value.lastIndexOf(':');
  const port = value.slice(colon + 1);
  const host = value.slice(0, Math.max(colon, 0)).replace(/^\[(.*)\]$/, '$1');

  if (colon < 0) fail('target bad format');
  if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > PORT_MAX) fail('target invalid port');
  if (host === '' || /[\s/[\]]/.test(host)) fail('target bad format');
  return { host, port: Number(port) };
}

function addressOf(value) {
  if (value === 'test') return { test: true };
  if (/^zhttp(req)?\//.test(value)) fail(NO_ZMQ);
  if (value.startsWith('unix:/')) return { path: value.slice('unix:'.length) };
  return splitAddress(value);
}

function readTarget(section, folder, where, problems) {
  const props = new Props(section);
  const target = {
    ...addressOf(section.value),
    name: section.value,
    tls: props.flag('ssl'),
    insecure: props.flag('insecure'),
    host_field: props.text('host') ?? null,
    trust_connect_host: props.flag('trust_connect_host'),
    untrusted: props.flag('untrusted'),
    over_http: props.flag('over_http'),
    one_event: props.flag('one_event'),
    subs: props.all('sub').filter((channel) => channel !== ''),
    client_cert: readPem(props.text('client_cert'), folder),
    client_key: readPem(props.text('client_key'), folder),
  };

  if (!target.client_cert !== !target.client_key) fail('client_cert and client_key need each other');
  props.unused(problems, where, { ipc_file_mode: 'is for ZeroMQ targets' });
  props.rest(problems, where);
  return target;
}

// --- conditions ---

function readHeader(text) {
  const [, name, value] = text.match(HEADER) ?? [];

  if (!name) fail("header must be 'Name:Value'");
  return { name, value };
}

function readCount(props, name) {
  const text = props.text(name);

  if (text === undefined) return 0;
  if (!/^\d{1,6}$/.test(text)) fail(`${name} must be a number`);
  return Number(text);
}

function readHost(value, id, where, problems) {
  if (value === '*') return null;
  if (value === '' && !id) fail('condition has no domain or id');
  if (WILDCARD.test(value)) problems.warn(where, `hosts are compared whole: "${value}" stands for no other name`);
  return value.toLowerCase();
}

const NOT_HERE = 'is not supported';

function readCondition(section, folder, where, problems) {
  const props = new Props(section);
  const id = props.text('id') ?? null;
  const condition = {
    id,
    host: readHost(section.value, id, where, problems),
    protocol: props.oneOf('proto', ['http', 'ws']) ?? 'any',
    secure: props.oneOf('ssl', ['yes', 'no']) ?? 'any',
    path_beg: props.text('path_beg') || null,
    path_rem: readCount(props, 'path_rem'),
    replace_beg: props.text('replace_beg') ?? null,
    as_host: props.text('as_host') || null,
    prefix: props.text('prefix') ?? null,
    sig_iss: props.text('sig_iss') ?? null,
    sig_key: readKey(props.text('sig_key'), folder, fail),
    headers: props.all('header').map(readHeader),
    debug: props.flag('debug'),
    orig_headers: props.flag('orig_headers'),
    no_grip: props.flag('no_grip'),
    aco: props.flag('aco'),
    jsonp_mode: props.oneOf('jsonp_mode', ['extended', 'basic']) ?? 'extended',
    jsonp_cb: props.text('jsonp_cb') || null,
    jsonp_body: props.text('jsonp_body') || null,
    jsonp_defcb: props.text('jsonp_defcb') || null,
    jsonp_defmethod: props.text('jsonp_defmethod') || null,
  };

  props.unused(problems, where, { session: NOT_HERE, sockjs: NOT_HERE, sockjs_as_path: NOT_HERE, log_level: 'has no meaning here' });
  props.rest(problems, where);
  return condition;
}

// Two conditions that no request can tell apart.
const sameAs = ({ host, protocol, secure, path_beg, id }) => JSON.stringify([host, protocol, secure, path_beg, host === '' ? id : null]);

// --- the list ---

/** Routes out of lines, in their order; each a struct app_origin_route (src/edge/edge.h) as JSON. */
export class Routes {
  list = [];
  files = []; // that were read, or would have been
  #seen = new Set();
  #problems;

  constructor(problems) {
    this.#problems = problems;
  }

  // folder: where the paths of keys begin.
  addLine(line, where, folder) {
    try {
      this.#add(new Scanner(line).sections(), where, folder);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      if (where.startsWith('--')) this.#problems.error(where, `${error.message}: ${line}`);
      else this.#problems.warn(where, `${error.message}; the route is skipped`);
    }
  }

  #add([condition, ...targets], where, folder) {
    if (!condition) return;
    if (!targets.length) fail('must specify condition and at least one target');
    const route = {
      ...readCondition(condition, folder, where, this.#problems),
      targets: targets.map((target) => readTarget(target, folder, where, this.#problems)),
    };

    if (this.#seen.has(sameAs(route))) fail('skipping duplicate condition');
    this.#seen.add(sameAs(route));
    this.list.push(route);
    this.#noteFiles(route);
  }

  // A changed key or certificate is a changed route.
  #noteFiles(route) {
    const read = [route.sig_key, ...route.targets.flatMap((target) => [target.client_cert, target.client_key])];

    this.files.push(...read.filter((one) => one?.path).map((one) => one.path));
  }

  addFile(path, where) {
    if (kindOf(path) !== 'file') {
      this.#problems.error(where, `there is no routes file ${shown(path)}`);
      return;
    }
    this.files.push(path);
    readText(path).split('\n').forEach((line, i) => this.addLine(line.replace(/\r$/, ''), `${shown(path)}:${i + 1}`, folderOf(path)));
  }
}

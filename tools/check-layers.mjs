// Reads the includes of src/ and says where one climbs: a folder may include only what stands below it (ARCHITECTURE.md, Ranks), and of
// another folder only its doors. Also refuses what is on the ban list.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';

const USES = {
  base: [],
  wire: ['base'],
  io: ['base'],
  hub: ['base'],
  js: ['base'],
  store: ['base'],
  conn: ['io', 'wire', 'base'],
  egress: ['conn', 'io', 'wire', 'base'],
  edge: ['egress', 'conn', 'hub', 'io', 'wire', 'base'],
  api: ['store', 'js', 'wire', 'base'],
  host: ['api', 'js', 'store', 'io', 'wire', 'base'],
};
const GATEWAY_ONLY = ['hub', 'conn', 'egress', 'edge'];
const WORKER_ONLY = ['js', 'store', 'api', 'host'];

// A word, why not, and the folders that may.
const BANS = [
  [/\b(strcpy|strcat|stpcpy|sprintf|vsprintf|gets)\s*\(/, 'has no bound; use a buf, snprintf or memcpy'],
  [/\b(atoi|atol|atoll|atof)\s*\(/, 'cannot fail visibly; use slice_u64 or strtod with its end'],
  [/\b(strtok|strtok_r|asctime|ctime|localtime|gmtime)\s*\(/, 'keeps state of its own; use slice_split, or the _r form'],
  [/\b(gethostbyname|gethostbyaddr|getaddrinfo)\s*\(/, 'blocks on the network', ['io']],
  [/\b(time|clock_gettime|gettimeofday)\s*\(/, 'time is given: loop_now(), loop_wall()', ['io', 'host', 'js']],
  [/\b(sleep|usleep|nanosleep|poll|select|epoll_wait)\s*\(/, 'only io waits', ['io', 'host']],
  [/\b(malloc|calloc|realloc)\s*\(/, 'use mem_new, mem_grow or a bounded buf', ['base']],
  [/\b(system|popen)\s*\(/, 'use child_open'],
  [/\bTODO\b|\bXXX\b|\bFIXME\b/, 'write the condition that ends it, or do it'],
];
const MAX_COLUMNS = 180; // of JavaScript
const MAX_C_COLUMNS = 100; // comments; the formatter sees to the code

const problems = [];
const say = (file, line, text) => problems.push(`${file}:${line}: ${text}`);

function filesUnder(folder) {
  return readdirSync(folder).flatMap((name) => {
    const at = path.join(folder, name);

    return statSync(at).isDirectory() ? filesUnder(at) : [at];
  });
}

// What src/app/gateway*.c or worker*.c may include.
function appMay(file, folder) {
  if (folder === 'app') return true;
  const refused = path.basename(file).startsWith('gateway') ? WORKER_ONLY : GATEWAY_ONLY;

  return !refused.includes(folder);
}

function checkInclude(file, line, included) {
  const [from] = file.split('/').slice(1);
  const [to] = included.split('/');

  if (to === from || !(to in USES || to === 'app')) return;
  if (from === 'app' ? !appMay(file, to) : !USES[from].includes(to)) say(file, line, `${from} may not include ${included}`);
  else if (/_int\.h$/.test(included)) say(file, line, `${included} is private to ${to}`);
}

// Comments and strings become blanks, so that words in them do not count.
const withoutText = (source) => source.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, (text) => text.replace(/[^\n]/g, ' '));

function checkBans(file, source) {
  const [, folder] = file.split('/');

  withoutText(source).split('\n').forEach((text, i) => {
    for (const [word, why, except = []] of BANS) {
      const found = text.match(word);

      if (found && !except.includes(folder)) say(file, i + 1, `${found[0].replace(/\s*\($/, '()')}: ${why}`);
    }
  });
}

for (const file of filesUnder('src').filter((name) => /\.[ch]$/.test(name))) {
  const source = readFileSync(file, 'utf8');

  source.split('\n').forEach((text, i) => {
    const included = text.match(/^\s*#\s*include\s+"([^"]+)"/)?.[1];

    if (included) checkInclude(file, i + 1, included);
    if ([...text].length > MAX_C_COLUMNS) say(file, i + 1, `${[...text].length} columns; ${MAX_C_COLUMNS} are the most`);
  });
  checkBans(file, source);
  if (/\/\*[^*]*\b(TODO|FIXME|XXX)\b/.test(source)) say(file, 1, 'a comment that puts something off');
}

// JavaScript: what no reader should meet.
for (const file of filesUnder('src').filter((name) => /\.m?js$/.test(name))) {
  readFileSync(file, 'utf8').split('\n').forEach((text, i) => {
    if (/\bvar\s/.test(text) && !/['"`].*\bvar\b/.test(text) && !/^\s*(\/\/|\*)/.test(text)) say(file, i + 1, 'var: use const or let');
    if (/[^=!]==[^=]/.test(text) && !/== null/.test(text) && !/['"`/].*==/.test(text)) say(file, i + 1, '==: use ===');
    if (/\bdebugger\b/.test(text) && !/['"`].*debugger/.test(text)) say(file, i + 1, 'debugger');
    if (/\t| +$/.test(text)) say(file, i + 1, 'a tab, or blanks at the end of the line');
    if (text.length > MAX_COLUMNS) say(file, i + 1, `${text.length} columns; ${MAX_COLUMNS} are the most`);
    if (/\bTODO\b|\bFIXME\b/.test(text)) say(file, i + 1, 'write the condition that ends it, or do it');
  });
}

if (problems.length) console.error(problems.join('\n'));
process.exit(problems.length ? 1 : 0);

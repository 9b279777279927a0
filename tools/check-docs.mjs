// Reads the documents as somebody who follows them: every link leads to a file and a heading that are there, every path that is
// named exists, every metric is one of the tables.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const problems = [];
const documents = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], { encoding: 'utf8' }).split('\n').filter((name) => name && existsSync(name));
const PATH = /^(?:src|test|docs|tools|examples|packaging)\/[\w./-]*\w$/;
const INVENTED = /\/(index|main|thing)\.(js|ts|c)$/; // an application's, an example's
const METRICS = ['src/edge/edge.metrics.def', 'src/edge/app.metrics.def'];

// As GitHub makes them of headings.
const slug = (heading) => heading.toLowerCase().replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');

/** The lines of a document that are no code: [number, text]. */
function linesOf(file) {
  let fenced = false;

  return readFileSync(file, 'utf8').split('\n').map((text, i) => [i + 1, text]).filter(([, text]) => {
    const fence = /^\s*```/.test(text);

    fenced = fence ? !fenced : fenced;
    return !fenced && !fence && !text.startsWith('    ');
  });
}

function anchorsOf(file) {
  const anchors = new Set();

  for (const [, text] of linesOf(file)) {
    const heading = text.match(/^#+ (.*)/)?.[1];

    if (heading === undefined) continue;
    const base = slug(heading);
    let name = base;

    for (let n = 1; anchors.has(name); n++) name = `${base}-${n}`;
    anchors.add(name);
  }
  return anchors;
}

function checkLink(file, line, target) {
  const [to, anchor] = target.split('#');
  const at = to ? path.join(path.dirname(file), to) : file;

  if (!existsSync(at)) problems.push(`${file}:${line}: ${target}: there is no ${at}`);
  else if (anchor !== undefined && !anchorsOf(at).has(anchor)) problems.push(`${file}:${line}: ${target}: ${at} has no such heading`);
}

for (const file of documents) {
  for (const [line, text] of linesOf(file)) {
    const plain = text.replace(/`[^`]*`/g, '');

    for (const [, target] of plain.matchAll(/\]\(([^)\s]+)\)/g)) if (!/^[a-z]+:/.test(target)) checkLink(file, line, target);
    for (const [, name] of text.matchAll(/`([^`]+)`/g)) {
      if (PATH.test(name) && !INVENTED.test(name) && !existsSync(name) && !existsSync(path.join(path.dirname(file), name))) problems.push(`${file}:${line}: there is no ${name}`);
    }
  }
}

const metrics = new Set(METRICS.flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/^STAT\(\w+, \w+, "(\w+)"/gm)].map(([, name]) => name)));

for (const [line, text] of linesOf('docs/operations.md').filter(([, row]) => row.startsWith('| '))) {
  for (const [, name] of text.matchAll(/`([a-z]+(?:_[a-z]+)+)(?:\{[^`]*\})?`/g)) if (!metrics.has(name)) problems.push(`docs/operations.md:${line}: there is no metric ${name}`);
}

if (problems.length) console.error(problems.join('\n'));
process.exit(problems.length ? 1 : 0);

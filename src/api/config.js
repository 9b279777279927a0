// The configuration reader, a bundle of its own: `holdfast-worker --config` runs it (src/app/worker_config.c).
//
//   --config PATH [--serve] [--pushpin] [--dev] [--env NAME] [--set OPTION KEY KIND TEXT]…
//
// PATH is an application; with --dev also a holdfast.toml, or a folder with nothing else; with --serve a holdfast.toml or
// (NAME.conf, or anything with --pushpin) a pushpin.conf. "" is no file: the options say all. What is right becomes one JSON
// document for the gateway (docs/configuration.md); what is wrong, lines that begin with FILE:LINE.
import { checkOptions, findHoldfast, readHoldfast, readSingle } from './config_holdfast.js';
import { Problems } from './config_table.js';
import { absolute } from './config_path.js';
import { ConfigError } from './config_tree.js';

const ERRORS_SHOWN = 20;

function readArguments(words) {
  const options = { path: words[0], serve: false, pushpin: false, dev: false, env: undefined, sets: [] };

  for (let i = 1; i < words.length; i++) {
    if (words[i] === '--serve') options.serve = true;
    else if (words[i] === '--pushpin') options.pushpin = true;
    else if (words[i] === '--dev') options.dev = true;
    else if (words[i] === '--env') options.env = words[++i];
    else if (words[i] === '--set') {
      options.sets.push({ where: words[i + 1], key: words[i + 2], kind: words[i + 3], text: words[i + 4] });
      i += 4;
    }
  }
  return options;
}

// words: the command line behind --config. Returns {status, out, err}.
export function readConfig(words) {
  const { path, serve, ...options } = readArguments(words);
  const problems = new Problems();
  const several = serve ? path && absolute(path) : options.dev && findHoldfast(absolute(path));
  let config;

  try {
    if (checkOptions(options.sets, problems)) {
      config = serve || several ? readHoldfast(several, { ...options, problems }) : readSingle(path, { ...options, problems });
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.errors.push(error.message);
  }
  if (problems.errors.length) return { status: 2, out: '', err: `${problems.errors.slice(0, ERRORS_SHOWN).join('\n')}\n` };
  return { status: 0, out: `${JSON.stringify({ ...config, warnings: problems.warnings })}\n`, err: '' };
}

export const hooks = { readConfig };

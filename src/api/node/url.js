// node:url: the Web's URL, and the older functions from the npm package "url".
import * as npm from 'url/';

const { URL, URLSearchParams } = globalThis;

function fileURLToPath(given) {
  const url = new URL(given);
  if (url.protocol !== 'file:') throw Object.assign(new TypeError('The URL must be of scheme file'), { code: 'ERR_INVALID_URL_SCHEME' });
  return decodeURIComponent(url.pathname);
}

function pathToFileURL(path) {
  const url = new URL('file:///');
  url.pathname = path.replaceAll('%', '%25').replaceAll('\\', '%5C').replaceAll('\n', '%0A').replaceAll('\r', '%0D').replaceAll('\t', '%09');
  return url;
}

function urlToHttpOptions(url) {
  const { hash, hostname, href, pathname, port, protocol, search } = url;
  const auth = url.username || url.password ? { auth: `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}` } : {};
  return { protocol, hostname, hash, search, pathname, path: `${pathname}${search}`, href, ...(port !== '' ? { port: Number(port) } : {}), ...auth };
}

const hostOf = (domain) => {
  try {
    return new URL(`http://${domain}`).hostname;
  } catch {
    return '';
  }
};

export default {
  domainToASCII: hostOf,
  domainToUnicode: (domain) => require('punycode/punycode.js').toUnicode(hostOf(domain)),
  fileURLToPath,
  format: (value, options) => (value instanceof URL && options === undefined ? value.href : npm.format(value, options)),
  parse: npm.parse,
  pathToFileURL,
  resolve: npm.resolve,
  resolveObject: npm.resolveObject,
  Url: npm.Url,
  URL,
  URLSearchParams,
  urlToHttpOptions,
};

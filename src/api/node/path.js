// node:path, as on POSIX systems. There are no Windows paths.
import path from 'path-browserify';

export default Object.assign(path, { toNamespacedPath: (given) => given, posix: path });

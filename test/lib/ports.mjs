// Ports that a test leaves and takes again. They lie below those that the system gives to connections (32768 and above), so that
// no connection of another test has taken one meanwhile.
import { createServer } from 'node:net';

const FIRST = 12_000;
const COUNT = 20_000;

/** Makes a server listen at a port of this machine, of its choice or (0) of ours; resolves with the port. */
export async function listen(server, port = 0) {
    for (;;) {
        const at = port || FIRST + Math.floor(Math.random() * COUNT);
        const error = await new Promise((resolve) => {
            server.once('error', resolve).listen(at, '127.0.0.1', () => {
                server.off('error', resolve);
                resolve(null);
            });
        });

        if (!error) return at;
        if (port || error.code !== 'EADDRINUSE') throw error;
    }
}

/** Ports that are free now, all different. */
export async function freePorts(n) {
    const servers = Array.from({ length: n }, () => createServer());
    const ports = await Promise.all(servers.map((server) => listen(server)));

    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    return ports;
}

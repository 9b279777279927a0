// What Linux says of a process and all its descendants.
import { readFileSync, readdirSync } from 'node:fs';

const TICK = 100; // clock ticks a second in /proc, on every Linux that Node runs on

/** {pid, ppid, state, ticks}; null when it is gone. */
function stat(pid) {
    try {
        const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
        const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');

        // proc(5), counted from the state: 1 ppid, 11 utime, 12 stime, 13 cutime, 14 cstime
        return {
            pid: Number(pid),
            ppid: Number(fields[1]),
            state: fields[0],
            ticks: fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0),
        };
    } catch {
        return null;
    }
}

/** The process and its descendants, zombies left out. */
export function family(root) {
    const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(stat).filter(Boolean);
    const found = all.filter(({ pid }) => pid === root);

    for (let i = 0; i < found.length; i++) found.push(...all.filter(({ ppid }) => ppid === found[i].pid));
    return found.filter(({ state }) => state !== 'Z');
}

/** User and system seconds of the family, its ended and waited-for children included. */
export function cpuSeconds(root) {
    return family(root).reduce((sum, { ticks }) => sum + ticks, 0) / TICK;
}

/** Bytes: pss, and private (what would come back if the family ended; own: of the process itself). */
export function memoryOf(root) {
    const sum = { pss: 0, private: 0, own: 0, processes: 0 };

    for (const { pid } of family(root)) {
        const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
        const kb = (name) => Number(text.match(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm'))?.[1] ?? 0) * 1024;

        sum.pss += kb('Pss');
        const own = kb('Private_Clean') + kb('Private_Dirty');

        sum.private += own;
        if (pid === root) sum.own = own;
        sum.processes++;
    }
    return sum;
}

/** How many files a process started from here may have open: servers raise their limit to the hard one. */
export function openFiles() {
    return Number(readFileSync('/proc/self/limits', 'latin1').match(/^Max open files\s+\d+\s+(\d+)/m)[1]);
}

/** A value as JSON that shows what JSON would lose: errors, undefined, bytes, maps, numbers like NaN. */
export function describe(value) {
    if (value === undefined) return '<undefined>';
    if (value instanceof Error || (typeof DOMException !== 'undefined' && value instanceof DOMException)) {
        const flags = ['remote', 'retryable', 'overloaded', 'durableObjectReset'].filter((flag) => value[flag]);

        return `${value.constructor.name} ${value.name}: ${value.message}${value.code ? ` (${value.code})` : ''}${flags.length ? ` [${flags}]` : ''}`;
    }
    if (typeof value === 'number' && !Number.isFinite(value)) return `<${value}>`;
    if (typeof value === 'bigint') return `<${value}n>`;
    if (typeof value === 'function') return `<function ${value.name}>`;
    if (value instanceof ArrayBuffer) return `<ArrayBuffer ${[...new Uint8Array(value)].slice(0, 20)}>`;
    if (ArrayBuffer.isView(value)) return `<${value.constructor.name} ${[...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)].slice(0, 20)}>`;
    if (value instanceof Date) return `<Date ${value.toISOString()}>`;
    if (value instanceof Map) return { '<Map>': [...value].map(describe) };
    if (value instanceof Set) return { '<Set>': [...value].map(describe) };
    if (Array.isArray(value)) return value.map(describe);
    if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, describe(v)]));
    return value;
}

/** What a call throws or gives. */
export function attempt(fn) {
    try {
        return describe(fn());
    } catch (error) {
        return describe(error);
    }
}

export async function attemptAsync(fn) {
    try {
        return describe(await fn());
    } catch (error) {
        return describe(error);
    }
}

export const tick = (ms = 0) => new Promise((resolve) => setTimeout(resolve, ms));

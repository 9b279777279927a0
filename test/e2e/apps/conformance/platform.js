import { attempt, attemptAsync } from './describe.js';

export const platformCases = {
    'response: statuses': () => [199, 200, 599, 600, 'x'].map((status) => attempt(() => new Response(null, { status }).status)),
    'response: a body with 204': () => [attempt(() => new Response('x', { status: 204 })), attempt(() => new Response(null, { status: 204 }).status)],
    'response: twice': async () => {
        const response = new Response('x');

        return [await response.text(), response.bodyUsed, await attemptAsync(() => response.text())];
    },
    'response: json': async () => {
        const response = Response.json({ a: 1 }, { status: 201 });

        return [response.status, response.headers.get('content-type'), await response.json()];
    },
    'response: types of bodies': async () => {
        const types = ['text', new URLSearchParams({ a: 'b c' }), new Blob(['x'], { type: 'image/x' }), new Uint8Array([65]), null];

        return Promise.all(types.map(async (body) => {
            const response = new Response(body);

            return [response.headers.get('content-type'), await response.text()];
        }));
    },
    'request: defaults': () => {
        const request = new Request('http://a/b?c#d', { method: 'post', body: 'x', headers: { A: 'b' } });

        return [request.url, request.method, [...request.headers], request.redirect, request.bodyUsed, attempt(() => new Request('/relative')), attempt(() => new Request('http://a/', { body: 'x' }))];
    },
    'request: a copy with another method': async () => {
        const request = new Request('http://a/', { method: 'POST', body: 'x' });
        const copy = new Request(request, { headers: { b: 'c' } });

        return [copy.method, await copy.text(), request.bodyUsed, copy.headers.get('b')];
    },
    'headers: order, case, lists': () => {
        const headers = new Headers({ B: '1', a: '2' });

        headers.append('b', '3');
        headers.append('Set-Cookie', 'x=1');
        headers.append('Set-Cookie', 'y=2');
        return [[...headers], headers.get('B'), headers.getSetCookie(), headers.has('none'), headers.get('none'), attempt(() => headers.set('bad name', 'x')), attempt(() => headers.set('x', 'a\nb'))];
    },
    'url: parts': () => {
        const url = new URL('https://us%65r:p@EXAMPLE.com:443/a/../b?x=1&x=2#f');

        url.searchParams.append('y', 'ä b');
        return [url.href, url.origin, url.host, url.searchParams.getAll('x'), attempt(() => new URL('nonsense')), URL.canParse('/x', 'http://a')];
    },
    'text: encoder and decoder': () => [new TextEncoder().encode('ä€😀'), new TextDecoder().decode(new Uint8Array([0xc3, 0xa4, 0xff])), attempt(() => new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff]))), new TextDecoder('latin1').encoding, attempt(() => new TextDecoder('nonsense'))],
    'base64': () => [btoa('hello'), atob('aGVsbG8='), attempt(() => atob('a')), attempt(() => btoa('€'))],
    'structuredClone': () => [structuredClone({ d: new Date(0), m: new Map([[1, new Set([2])]]), u: undefined, r: /x/gi.source, e: new TypeError('t') }), attempt(() => structuredClone(() => 1)), attempt(() => structuredClone(Symbol('x')))],
    'crypto': async () => {
        const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode('abc'));
        const key = await crypto.subtle.importKey('raw', new Uint8Array([1, 2, 3]), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
        const signature = await crypto.subtle.sign('HMAC', key, new Uint8Array([4]));

        return [digest, signature, await crypto.subtle.verify('HMAC', key, signature, new Uint8Array([4])), /^[0-9a-f-]{36}$/.test(crypto.randomUUID()), crypto.getRandomValues(new Uint8Array(4)).length, await attemptAsync(() => crypto.subtle.digest('SHA-999', new Uint8Array()))];
    },
    'abort': async () => {
        const controller = new AbortController();
        const seen = [];

        controller.signal.addEventListener('abort', () => seen.push('heard'));
        controller.abort();
        return [seen, controller.signal.aborted, controller.signal.reason, attempt(() => controller.signal.throwIfAborted()), AbortSignal.any([controller.signal]).aborted, AbortSignal.abort('why').reason];
    },
    'events: once, objects, preventDefault': () => {
        const target = new EventTarget();
        const seen = [];

        target.addEventListener('x', () => seen.push('once'), { once: true });
        target.addEventListener('x', { handleEvent: () => seen.push('object') });
        target.addEventListener('x', (event) => event.preventDefault());
        return [target.dispatchEvent(new Event('x', { cancelable: true })), target.dispatchEvent(new Event('x')), seen];
    },
    'streams: a body of strings': () => attemptAsync(() => new Response(new ReadableStream({
        start(controller) {
            controller.enqueue('a string');
            controller.close();
        },
    })).text()),
    'streams: tee, pipe, iterate': async () => {
        const source = () => ReadableStream.from([new Uint8Array([65]), new Uint8Array([66])]);
        const [one, two] = source().tee();
        const through = source().pipeThrough(new TransformStream({ transform: (chunk, controller) => controller.enqueue(chunk.map((byte) => byte + 1)) }));
        const seen = [];

        for await (const chunk of source()) seen.push(chunk[0]);
        return [await new Response(one).text(), await new Response(two).text(), await new Response(through).text(), seen];
    },
    'streams: a second reader': () => {
        const stream = new ReadableStream();

        stream.getReader();
        return attempt(() => stream.getReader());
    },
    'streams: compression': async () => {
        const gzip = new Response('hello hello hello').body.pipeThrough(new CompressionStream('gzip'));

        return [await new Response(gzip.pipeThrough(new DecompressionStream('gzip'))).text(), attempt(() => new CompressionStream('br'))];
    },
    'form data': async () => {
        const form = new FormData();

        form.append('a', '1');
        form.append('f', new File(['content'], 'name.txt', { type: 'text/plain' }));
        const parsed = await new Response(form).formData();

        return [parsed.get('a'), parsed.get('f').name, parsed.get('f').type, await parsed.get('f').text(), [...parsed.keys()]];
    },
    'fetch: bad schemes': async () => Promise.all(['ftp://a/', 'nonsense', 'file:///etc/passwd'].map((url) => attemptAsync(() => fetch(url)))),
    'eval': () => [attempt(() => eval('1 + 1')), attempt(() => new Function('return 1')())],
    'timers': async () => {
        const order = [];

        await new Promise((resolve) => {
            setTimeout(() => order.push('20'), 20);
            setTimeout((a, b) => order.push(a + b), 5, 'ar', 'gs');
            const never = setTimeout(() => order.push('never'), 1);

            clearTimeout(never);
            queueMicrotask(() => order.push('microtask'));
            const every = setInterval(() => {
                if (order.push('interval') > 4) {
                    clearInterval(every);
                    resolve();
                }
            }, 30);
        });
        return order;
    },
    'names of globals that are not there': () => ['XMLHttpRequest', 'document', 'window', 'localStorage', 'importScripts', 'BroadcastChannel', 'require'].filter((name) => name in globalThis),
    'navigator': () => [navigator.userAgent, typeof navigator.hardwareConcurrency],
    'env is the same in cloudflare:workers': async (env) => (await import('cloudflare:workers')).env.TEXT === env.TEXT,
    'scheduler.wait': async () => scheduler.wait(5),
    'a Response of another request\'s style': () => [new Response('x', { headers: [['a', 'b']] }).headers.get('a'), attempt(() => new Response('x', { headers: [['a']] }))],
};

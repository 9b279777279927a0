// What the end-to-end tests drive: /http/… is answered by the worker itself, /lab/NAME/… by the Durable Object NAME.
import { DurableObject } from 'cloudflare:workers';
import { httpRoutes } from './http';

interface Env {
    LAB: DurableObjectNamespace<Lab>;
    GREETING: string;
    SETTINGS: { depth: number };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const started = Date.now();

/** Tells of itself and its sockets, keeps what it is told, does what tests need to go wrong. */
export class Lab extends DurableObject<Env> {
    private heard = 0; // lives as long as the instance
    private readonly born = Math.random();

    constructor(ctx: DurableObjectState, env: Env) {
        super(ctx, env);
        ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
    }

    async fetch(request: Request): Promise<Response> {
        const url = new URL(request.url);
        const [, , , verb] = url.pathname.split('/');
        const query = url.searchParams;

        if (verb === 'socket') return this.open(query.getAll('tag'), query.get('attach'));
        const result = await this.do({ ...Object.fromEntries(query), do: verb });

        return Response.json(result ?? null);
    }

    private open(tags: string[], attachment: string | null): Response {
        const { 0: client, 1: server } = new WebSocketPair();

        this.ctx.acceptWebSocket(server, tags);
        if (attachment) server.serializeAttachment({ said: attachment });
        return new Response(null, { status: 101, webSocket: client });
    }

    async webSocketMessage(ws: WebSocket, data: string | ArrayBuffer): Promise<void> {
        this.heard++;
        if (typeof data !== 'string') return ws.send(data);
        const command = data.startsWith('{') ? JSON.parse(data) : { do: 'echo', data };

        ws.send(JSON.stringify({ re: command.do, ...(await this.do(command, ws)) }));
    }

    async webSocketClose(ws: WebSocket, code: number, reason: string, clean: boolean): Promise<void> {
        await this.ctx.storage.put('closed', { code, reason, clean });
        if (code === 1005 || code === 1006) ws.close();
        else ws.close(code, reason);
    }

    async webSocketError(ws: WebSocket, error: Error): Promise<void> {
        await this.ctx.storage.put('error', String(error?.message ?? error));
    }

    async alarm(info?: { retryCount: number; isRetry: boolean }): Promise<void> {
        const runs = ((await this.ctx.storage.get<object[]>('alarms')) ?? []).concat({ at: Date.now(), ...info });

        await this.ctx.storage.put('alarms', runs);
        if (runs.length <= Number((await this.ctx.storage.get('fail')) ?? 0)) throw new Error('alarm failed on purpose');
        for (const ws of this.ctx.getWebSockets()) ws.send('alarm');
    }

    /** One command, by HTTP or by a message. Values of a query are strings. */
    private async do(command: any, ws?: WebSocket): Promise<any> {
        const { storage } = this.ctx;

        switch (command.do) {
            case 'echo':
                return { data: command.data };
            case 'who':
                return {
                    id: this.ctx.id.toString(), name: this.ctx.id.name, born: this.born, heard: this.heard, started,
                    sockets: this.ctx.getWebSockets().length,
                };
            case 'sockets':
                return { attachments: this.ctx.getWebSockets(command.tag).map((s) => s.deserializeAttachment()) };
            case 'self':
                return { tags: this.ctx.getTags(ws!), attachment: ws!.deserializeAttachment() };
            case 'attach':
                return void ws!.serializeAttachment(command.value);
            case 'tell':
                for (const other of this.ctx.getWebSockets(command.tag)) other.send(command.data);
                return;
            case 'close':
                for (const other of this.ctx.getWebSockets(command.tag)) other.close(Number(command.code ?? 1000), command.reason);
                return;
            case 'put':
                await storage.put(command.key, command.value);
                return { done: true };
            case 'get':
                return { value: await storage.get(command.key) };
            case 'delete':
                return { existed: await storage.delete(command.key) };
            case 'list':
                return { entries: [...(await storage.list(command.options ?? {}))] };
            case 'count':
                // Read, wait, write: right only because no other event gets in between.
                await storage.put('n', ((await storage.get<number>('n')) ?? 0) + 1);
                return { n: await storage.get('n') };
            case 'transaction':
                return storage.transaction(async (txn) => {
                    await txn.put('t', command.value);
                    if (command.fail) throw new Error('rolled back on purpose');
                }).then(() => ({ done: true }), (error) => ({ error: error.message }));
            case 'blocked':
                return this.ctx.blockConcurrencyWhile(async () => {
                    await sleep(Number(command.ms));
                    return { heard: this.heard };
                });
            case 'alarm':
                if (command.fail) await storage.put('fail', Number(command.fail));
                await storage.setAlarm(Date.now() + Number(command.ms));
                return { at: await storage.getAlarm() };
            case 'alarms':
                return { runs: (await storage.get('alarms')) ?? [], next: await storage.getAlarm() };
            case 'sleep':
                await sleep(Number(command.ms));
                return { heard: this.heard };
            case 'put-then-sleep': {
                const times = ((await storage.get<number>(command.key)) ?? 0) + 1;

                await storage.put(command.key, times);
                await sleep(Number(command.ms));
                return { times };
            }
            case 'throw':
                throw new Error('thrown on purpose');
            case 'loop':
                for (;;);
            case 'leak':
                return leak();
            case 'abort':
                this.ctx.abort('aborted on purpose');
        }
        return { error: `no such command ${command.do}` };
    }
}

function leak(): never {
    const kept: unknown[] = [];

    for (;;) kept.push(new Array(10_000).fill(kept.length));
}

export default {
    async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
        const [, area, name] = new URL(request.url).pathname.split('/');

        if (area === 'lab') return env.LAB.getByName(name).fetch(request);
        const route = area === 'http' && httpRoutes[name];

        if (route) return route(request, env, ctx);
        return new Response('no such route', { status: 404 });
    },
};

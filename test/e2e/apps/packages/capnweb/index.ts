import { newWorkersRpcResponse, RpcTarget } from 'capnweb';
import { DurableObject } from 'cloudflare:workers';

type Env = { COUNTER: DurableObjectNamespace<Counter> };

export class Counter extends DurableObject {
    async bump() {
        const n = ((await this.ctx.storage.get<number>('n')) ?? 0) + 1;

        await this.ctx.storage.put('n', n);
        return n;
    }
}

class Session extends RpcTarget {
    #said = 0;

    say(text: string) {
        return `${++this.#said} ${text}`;
    }
}

class Api extends RpcTarget {
    constructor(private env: Env) {
        super();
    }

    session() {
        return new Session();
    }

    async each(call: (n: number) => Promise<string>) {
        return [await call(1), await call(2)];
    }

    fail() {
        throw new RangeError('no');
    }

    counter() {
        return this.env.COUNTER.getByName('all');
    }
}

export default { fetch: (request: Request, env: Env) => newWorkersRpcResponse(request, new Api(env)) };

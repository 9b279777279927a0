// Asks the platform what it does: GET /NAME runs one case and answers {value} or {throws}. The same code ran in workerd,
// where the expected answers come from (expected.json).
import { durableCases } from './durable.js';
import { platformCases } from './platform.js';
import { socketCases } from './sockets.js';
import { describe } from './describe.js';

export { Other, Plain, Subject } from './durable.js';

const cases = { ...socketCases, ...durableCases, ...platformCases };

export default {
    async fetch(request, env, ctx) {
        const name = decodeURIComponent(new URL(request.url).pathname.slice(1));

        if (!name) return Response.json(Object.keys(cases));
        try {
            return Response.json({ value: describe(await cases[name](env, ctx, request)) });
        } catch (error) {
            return Response.json({ throws: describe(error) });
        }
    },
};

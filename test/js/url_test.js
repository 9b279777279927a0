export { suite } from './lib.js';
import { equal, test } from './lib.js';
test('x', () => equal(new URL('http://a/b?c#d').search, '?c'));
test('y', async () => equal(await new Response('hé').text(), 'hé'));

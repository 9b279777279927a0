export { suite } from './lib.js';
import { format, inspect } from '../../src/api/inspect.js';
import { equal, test } from './lib.js';

test('inspect_shows_primitives_as_they_are_written', () => {
  equal(inspect('it'), "'it'");
  equal(inspect("it's"), '"it\'s"');
  equal(inspect('a\nb'), "'a\\nb'");
  equal(inspect(-0), '-0');
  equal(inspect(10n), '10n');
  equal(inspect(Symbol('s')), 'Symbol(s)');
  equal(inspect(null), 'null');
  equal(inspect(undefined), 'undefined');
});

test('inspect_shows_objects_and_arrays', () => {
  equal(inspect({ a: 1, 'b-c': [true, , 'x'], [Symbol('k')]: 2 }), "{ a: 1, 'b-c': [ true, <1 empty item>, 'x' ], [Symbol(k)]: 2 }");
  equal(inspect([]), '[]');
  equal(inspect({}), '{}');
  equal(inspect(Object.create(null)), '[Object: null prototype] {}');
});

test('inspect_cuts_depth_and_length', () => {
  equal(inspect({ a: { b: { c: { d: 1 } } } }), '{ a: { b: { c: [Object] } } }');
  equal(inspect([[[[1]]]]), '[ [ [ [Array] ] ] ]');
  equal(inspect(new Array(102).fill(0)).split('\n').at(-2), '  … 2 more items');
});

test('inspect_shows_circles', () => {
  const o = { name: 'o' };
  o.self = o;
  equal(inspect(o), "{ name: 'o', self: [Circular *1] }");
});

test('inspect_shows_collections', () => {
  equal(inspect(new Map([['a', { b: 1 }]])), "Map(1) { 'a' => { b: 1 } }");
  equal(inspect(new Set([1, 'x'])), "Set(2) { 1, 'x' }");
  equal(inspect(new Uint8Array([1, 2])), 'Uint8Array(2) [ 1, 2 ]');
  equal(inspect(new Uint8Array([1, 2]).buffer), 'ArrayBuffer { [Uint8Contents]: <01 02>, byteLength: 2 }');
  equal(inspect(new Date(0)), '1970-01-01T00:00:00.000Z');
  equal(inspect(/a+/g), '/a+/g');
});

test('inspect_shows_classes_and_their_instances', () => {
  class Room {
    name = 'a';

    get size() {
      return 1;
    }
  }
  equal(inspect(new Room()), "Room { name: 'a' }");
  equal(inspect(Room), '[class Room]');
  equal(inspect(function leave() {}), '[Function: leave]');
  equal(inspect(async () => {}), '[AsyncFunction (anonymous)]');
  equal(inspect({ get x() { return 1; } }), '{ x: [Getter] }');
});

test('inspect_shows_objects_of_the_platform_by_their_accessors', () => {
  equal(inspect(new Headers({ a: 'b' })), "Headers { 'a' => 'b' }");
  equal(inspect(new Response('x', { status: 201 })).startsWith('Response {'), true);
});

test('inspect_shows_errors_with_causes_and_properties', () => {
  const error = new TypeError('bad', { cause: new Error('why') });
  error.code = 7;
  equal(inspect(error), "TypeError: bad { code: 7, [cause]: [Error: why] }");
  equal(inspect({ error: new RangeError('no') }), '{ error: [RangeError: no] }');
});

test('inspect_survives_hostile_objects', () => {
  equal(inspect(new Proxy({}, { ownKeys() { throw new Error('no'); } })), '[object that cannot be shown: no]');
});

test('format_fills_directives_and_appends_the_rest', () => {
  equal(format(['a %s b %d%%', 'x', '42', { y: 1 }]), 'a x b 42% { y: 1 }');
  equal(format(['%j %i %f %o', { a: 1 }, '7.9', '1.5', [1]]), '{"a":1} 7 1.5 [ 1 ]');
  equal(format(['100%', 1]), '100% 1');
  equal(format(['%s']), '%s');
  equal(format([1, 'two', { three: 3 }]), '1 two { three: 3 }');
  equal(format(['%cstyled', 'color: red']), 'styled');
});

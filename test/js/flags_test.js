export { suite } from './lib.js';
import { flag, setFlags } from '../../src/api/flags.js';
import { equal, test } from './lib.js';

test('flags_are_on_from_their_date', () => {
  setFlags('2026-03-16', []);
  equal(flag('websocket_standard_binary_type'), false);
  setFlags('2026-03-17', []);
  equal(flag('websocket_standard_binary_type'), true);
});

test('flags_without_a_date_mean_today', () => {
  setFlags(null, []);
  equal(flag('web_socket_auto_reply_to_close'), true);
  equal(flag('pedantic_wpt'), false);
});

test('flags_named_win_over_the_date', () => {
  setFlags('2020-01-01', ['rpc', 'pedantic_wpt']);
  equal(flag('rpc'), true);
  equal(flag('pedantic_wpt'), true);
  setFlags(null, ['durable_object_io_tasks_do_not_prevent_eviction', 'no_rpc']);
  equal(flag('durable_object_io_tasks_prevent_eviction'), false);
  equal(flag('rpc'), false);
});

test('flags_that_are_unknown_are_reported', () => {
  equal(setFlags(null, ['rpc', 'warp_drive']), ['warp_drive']);
  equal(flag('warp_drive'), false);
});

// Compatibility flags: behaviour that an application chooses by its compatibility_date (a flag is on from its date) and by
// naming flags. Names and dates are workerd's, so that code brings its configuration along.

// [name, on from (null: only when named), name that turns it off]. A flag without an off-name of its own has `no_` + name.
const rows = [
  ['workers_api_getters_setters_on_prototype', '2022-01-31', 'workers_api_getters_setters_on_instance'],
  ['durable_object_fetch_requires_full_url', '2021-11-10', 'durable_object_fetch_allows_relative_url'],
  ['streams_enable_constructors', '2022-11-30', 'streams_disable_constructors'],
  ['transformstream_enable_standard_constructor', '2022-11-30', 'transformstream_disable_standard_constructor'],
  ['web_socket_compression', '2023-08-15', 'no_web_socket_compression'],
  ['fetcher_no_get_put_delete', '2024-03-26', 'fetcher_has_get_put_delete'],
  ['rpc', '2024-04-03', 'no_rpc'],
  ['internal_writable_stream_abort_clears_queue', '2024-09-02', 'internal_writable_stream_abort_does_not_clear_queue'],
  ['handle_cross_request_promise_resolution', '2024-10-14', 'no_handle_cross_request_promise_resolution'],
  ['fixup-transform-stream-backpressure', '2024-12-16', 'original-transform-stream-backpressure'],
  ['set_event_target_this', '2025-08-01', 'no_set_event_target_this'],
  ['expose_global_message_channel', '2025-08-15', 'no_expose_global_message_channel'],
  ['enable_ctx_exports', '2025-11-17', 'disable_ctx_exports'],
  ['rpc_params_dup_stubs', '2026-01-20', 'rpc_params_transfer_stubs'],
  ['delete_all_deletes_alarm', '2026-02-24', 'delete_all_preserves_alarm'],
  ['unhandled_rejection_after_microtask_checkpoint', '2026-03-03', 'no_unhandled_rejection_after_microtask_checkpoint'],
  ['websocket_close_reason_byte_limit', '2026-03-03', 'no_websocket_close_reason_byte_limit'],
  ['websocket_standard_binary_type', '2026-03-17', 'no_websocket_standard_binary_type'],
  ['encoder_stream_spec_compliant_backpressure', '2026-03-24', 'no_encoder_stream_spec_compliant_backpressure'],
  ['writable_stream_spec_compliant_writer', '2026-03-24', 'no_writable_stream_spec_compliant_writer'],
  ['web_socket_auto_reply_to_close', '2026-04-07', 'web_socket_manual_reply_to_close'],
  ['enhanced_error_serialization', '2026-04-21', 'legacy_error_serialization'],
  ['nodejs_compat', '2026-08-04', 'no_nodejs_compat'],
  ['spec_compliant_dispatch_exceptions', '2026-09-15', 'no_spec_compliant_dispatch_exceptions'],
  ['durable_object_io_tasks_prevent_eviction', '2026-10-01', 'durable_object_io_tasks_do_not_prevent_eviction'],
  ['pipe_to_backward_propagation', '2026-11-17', 'no_pipe_to_backward_propagation'],
  ['nodejs_als', null, 'no_nodejs_als'],
  ['nodejs_compat_populate_process_env', '2025-04-01', 'nodejs_compat_do_not_populate_process_env'],
  ['disallow_importable_env', null, 'allow_importable_env'],
  ['pedantic_wpt', null, 'non_pedantic_wpt'],
  ['increase_websocket_message_size', null, 'no_increase_websocket_message_size'],
  ['enable_request_signal', null, 'disable_request_signal'],
  ['request_signal_passthrough', null, 'no_request_signal_passthrough'],
  ['global_fetch_strictly_public', null, 'global_fetch_private_origin'],
  ['rpc_dispose_cancels_call', null, 'no_rpc_dispose_cancels_call'],
  ['allow_irrevocable_stub_storage', null, 'no_allow_irrevocable_stub_storage'],
];

const on = new Map(rows.map(([name, date]) => [name, date !== null]));

/**
 * Sets every flag by date ("YYYY-MM-DD", null: today's behaviour) and by name. Returns the names that mean nothing here.
 */
export function setFlags(date, names) {
  const byName = new Map();
  for (const [name, from, off] of rows) {
    on.set(name, from !== null && (date === null || date >= from));
    byName.set(name, [name, true]);
    byName.set(off, [name, false]);
    byName.set(`no_${name}`, [name, false]);
  }
  byName.set('nodejs_compat_v2', ['nodejs_compat', true]); // the two are one here
  byName.set('no_nodejs_compat_v2', ['nodejs_compat', false]);
  const unknown = [];
  for (const given of names) {
    const row = byName.get(given);
    if (row === undefined) unknown.push(given);
    else on.set(row[0], row[1]);
  }
  return unknown;
}

/** Whether a flag is on. Names that are not in the table are off. */
export function flag(name) {
  return on.get(name) === true;
}

/** Every flag with its setting, for Cloudflare.compatibilityFlags. */
export function allFlags() {
  return Object.freeze(Object.fromEntries(on));
}

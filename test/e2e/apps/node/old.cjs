// A library as older ones are: CommonJS, modules without "node:".
const EventEmitter = require('events');
const { Buffer } = require('buffer');
const Stream = require('stream');
const { inherits } = require('util');

function Old() {
    EventEmitter.call(this);
}
inherits(Old, EventEmitter);

exports.works = new Old() instanceof EventEmitter.EventEmitter && class extends Stream {}.prototype instanceof Stream && Buffer.from('a').length === 1;

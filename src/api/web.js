// The globals of the Web platform that this folder defines, by name. main.js puts them on the global object.
import { URLPattern } from 'urlpattern-polyfill/urlpattern';
import * as abort from './abort.js';
import { Blob, File } from './blob.js';
import { Body } from './body.js';
import { Cache, caches, CacheStorage } from './cache.js';
import { MessageChannel, MessagePort } from './channel.js';
import { structuredClone } from './clone.js';
import { Crypto, crypto, CryptoKey, SubtleCrypto } from './crypto.js';
import { DOMException } from './domexception.js';
import * as encoding from './encoding.js';
import * as events from './events.js';
import { fetch } from './fetch.js';
import { FormData } from './formdata.js';
import { Headers } from './headers.js';
import * as misc from './misc.js';
import { Request } from './request.js';
import { Response } from './response.js';
import * as streams from './streams.js';
import { URL, URLSearchParams } from './url.js';

const { AbortController, AbortSignal } = abort;
const { HTMLRewriter, Navigator, navigator, Performance, performance, queueMicrotask, reportError, scheduler, ServiceWorkerGlobalScope, WorkerGlobalScope } = misc;
const { atob, btoa, TextDecoder, TextEncoder } = encoding;
const { CloseEvent, CustomEvent, ErrorEvent, Event, EventTarget, ExtendableEvent, FetchEvent, MessageEvent, PromiseRejectionEvent } = events;
const {
  ByteLengthQueuingStrategy, CompressionStream, CountQueuingStrategy, DecompressionStream, FixedLengthStream, IdentityTransformStream,
  ReadableByteStreamController, ReadableStream, ReadableStreamBYOBReader, ReadableStreamBYOBRequest, ReadableStreamDefaultController,
  ReadableStreamDefaultReader, TextDecoderStream, TextEncoderStream, TransformStream, TransformStreamDefaultController, WritableStream,
  WritableStreamDefaultController, WritableStreamDefaultWriter,
} = streams;

export const webGlobals = {
  AbortController, AbortSignal, atob, Blob, Body, btoa, ByteLengthQueuingStrategy, Cache, caches, CacheStorage, CloseEvent, CompressionStream, CountQueuingStrategy,
  Crypto, crypto, CryptoKey, CustomEvent, DecompressionStream, DOMException, ErrorEvent, Event, EventTarget, ExtendableEvent, fetch, FetchEvent, File,
  FixedLengthStream, FormData, Headers, HTMLRewriter, IdentityTransformStream, MessageChannel, MessageEvent, MessagePort, Navigator, navigator, Performance, performance,
  PromiseRejectionEvent, queueMicrotask, ReadableByteStreamController, ReadableStream, ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest, ReadableStreamDefaultController, ReadableStreamDefaultReader, reportError, Request, Response, scheduler, ServiceWorkerGlobalScope,
  structuredClone, SubtleCrypto, TextDecoder, TextDecoderStream, TextEncoder, TextEncoderStream, TransformStream, TransformStreamDefaultController,
  URL, URLPattern, URLSearchParams, WorkerGlobalScope, WritableStream, WritableStreamDefaultController, WritableStreamDefaultWriter,
};

Object.defineProperty(URLPattern.prototype, Symbol.toStringTag, { value: 'URLPattern', configurable: true });

// The bundler renames functions whose names clash.
for (const [name, value] of Object.entries(webGlobals)) {
  if (typeof value === 'function') Object.defineProperty(value, 'name', { value: name, configurable: true });
}

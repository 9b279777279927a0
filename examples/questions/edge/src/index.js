/// <reference types="@fastly/js-compute" />
// The edge: what needs no answer from behind (the page) is answered here, what is live goes through Fanout, which holds the
// connection and asks the origin by plain HTTP.
import { createFanoutHandoff } from 'fastly:fanout';
import { KVStore } from 'fastly:kv-store';

const TYPES = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};
const POLICY = "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; frame-ancestors 'none'";

addEventListener('fetch', (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const { pathname } = new URL(request.url);

  if (pathname.startsWith('/api/')) return createFanoutHandoff(request, 'origin');
  if (request.method !== 'GET' && request.method !== 'HEAD') return new Response('Method not allowed\n', { status: 405, headers: { Allow: 'GET, HEAD' } });
  // A room is a path of the page's own.
  if (pathname === '/' || pathname.startsWith('/r/')) return file('index.html');
  return pathname.startsWith('/page/') ? file(pathname.slice('/page/'.length)) : notFound();
}

async function file(name) {
  const entry = /^[\w-]+\.\w+$/.test(name) ? await new KVStore('page').get(name) : null;

  if (entry === null) return notFound();
  return new Response(entry.body, {
    headers: {
      'Content-Type': TYPES[name.split('.').pop()],
      'Content-Security-Policy': POLICY,
      'Cache-Control': 'no-cache',
    },
  });
}

const notFound = () => new Response('Not found\n', { status: 404 });

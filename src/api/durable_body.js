// A Durable Object stays in memory while a response of its still streams.
import { endlessStream } from './body.js';
import { Response } from './response.js';
import { ReadableStream } from './streams.js';

/** response, whose stream keeps context pending until it ends. */
export function watchedResponse(response, context) {
  const stream = endlessStream(response);
  return stream === null ? response : new Response(watched(stream, context), response);
}

function watched(stream, context) {
  const reader = stream.getReader();
  let over = false;
  const end = () => {
    if (!over) context.release();
    over = true;
  };
  context.hold();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        end();
        controller.close();
      } catch (error) {
        end();
        controller.error(error);
      }
    },
    cancel(reason) {
      end();
      return reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

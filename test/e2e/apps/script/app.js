// The classic format: one script that listens (test/e2e/platform.test.mjs).
addEventListener('fetch', (event) => {
    const { pathname } = new URL(event.request.url);

    if (pathname === '/twice') {
        event.respondWith(new Response('first'));
        try {
            event.respondWith(new Response('second'));
        } catch (error) {
            console.log(`twice: ${error.name} ${error.message}`);
        }
    } else if (pathname === '/late') {
        event.respondWith(new Promise((resolve) => setTimeout(() => resolve(new Response('late')), 20)));
    } else if (pathname === '/text') {
        event.respondWith('x');
    } else if (pathname === '/prevented') {
        event.preventDefault();
    } else if (pathname === '/after') {
        event.respondWith(new Response('now'));
        event.waitUntil(new Promise((resolve) => setTimeout(resolve, 20)).then(() => console.log('after: done')));
    }
});

// The worker of a drop link's app. It keeps nothing: the page always comes from the computer that the
// link is of. Where that is not there, it says so.

const AWAY = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Not reachable</title><style>:root{color-scheme:light dark;font:100%/1.5 system-ui,sans-serif}
body{margin:0;min-height:100vh;display:grid;place-content:center;padding:1.5rem;text-align:center}main{max-width:26rem}</style>
<main><h1>The other computer is not there</h1><p>It sleeps, or this phone is in another network. What you chose is kept. Be in the
same network and open this again.</p></main></html>`;

addEventListener('install', () => skipWaiting());
addEventListener('activate', (event) => event.waitUntil(clients.claim()));
addEventListener('fetch', (event) => {
  if (event.request.mode !== 'navigate') return;
  const headers = {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
  };
  event.respondWith(fetch(event.request).catch(() => new Response(AWAY, { status: 503, headers })));
});

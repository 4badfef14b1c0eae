// A site as many are: static files from express, an account page made for who is logged in, a chat. Prints its port.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const express = require('express');
const { WebSocketServer } = require('ws');

const [folder] = process.argv.slice(2);
const app = express();
app.use(express.urlencoded({ extended: false }));
app.post('/login', (request, response) => {
  response.cookie('session', request.body.name, { httpOnly: true }).redirect(303, '/account');
});
app.get('/account', (request, response) => {
  const name = /session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? 'nobody';
  response.type('html').send(`<!doctype html><title>Account</title><script src="/app.js" async></script><h1 id="name">${name}</h1>`);
});
// A tool for whoever is logged in: the page is made anew each time, under a strict policy, and its worker loads most of it once it is used.
const late = `onmessage = async ({ data }) => {
  const lengths = await Promise.all(data.map(async (path) => (await (await fetch(path)).arrayBuffer()).byteLength));
  postMessage(lengths.reduce((sum, length) => sum + length, 0));
};`;
const tool = `window.useTool = () => {
  const worker = new Worker('/late.js');
  worker.onmessage = ({ data }) => (window.app = { done: true, bytes: data });
  worker.postMessage(window.parts);
};`;
app.get('/tool', (request, response) => {
  const name = /session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? 'nobody';
  const nonce = randomBytes(12).toString('base64');
  response.set('content-security-policy', `default-src 'self'; script-src 'nonce-${nonce}' 'strict-dynamic'; worker-src 'self'; object-src 'none'`);
  const parts = JSON.stringify(String(request.query.parts ?? '').split(',').filter(Boolean));
  response.type('html').send(`<!doctype html><title>Tool</title><h1 id="name">${name} at ${Date.now()}</h1><script nonce="${nonce}">window.parts = ${parts}</script><script nonce="${nonce}" src="/tool.js"></script>`);
});
for (const [path, text] of [['/tool.js', tool], ['/late.js', late]]) {
  app.get(path, (_request, response) => response.set('cache-control', 'public, max-age=600').type('js').send(text));
}
// A fault that is often made: personal, and called public.
app.get('/greeting', (request, response) => {
  response.set('cache-control', 'public, max-age=60').type('text').send(request.headers.cookie ? 'welcome back' : 'welcome');
});
app.get('/seen', (_request, response) => response.cookie('seen', '1').set('cache-control', 'public, max-age=60').type('text').send('seen'));
app.use(express.static(folder));
const server = createServer(app);
const chat = new WebSocketServer({ server, path: '/chat' });
chat.on('connection', (socket) => socket.on('message', (data) => chat.clients.forEach((client) => client.send(String(data)))));
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));

// A site as many are: static files from express, an account page made for who is logged in, a chat. Prints its port.
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

// A page that behaves as the original project's: it sends envelopes with a
// path, listens by path, and reads nothing of an answer but its path and data.
'use strict';

const socket = new WebSocket(new URLSearchParams(location.search).get('ws'));
const $ = (id) => document.getElementById(id);

const listeners = {
  output(data) {
    const line = document.createElement('li');
    line.textContent = data;
    line.dataset.at = performance.now();
    $('output').append(line);
  },
  clients(data) {
    $('list').replaceChildren(...data.map((id) => {
      const line = document.createElement('li');
      line.textContent = id;
      return line;
    }));
  },
  connected(data) {
    document.body.dataset.client = data.client;
  },
  streamServer(data) {
    $('blob').textContent = JSON.stringify(data);
  },
};

socket.onopen = () => { $('state').textContent = 'open'; };
socket.onclose = () => { $('state').textContent = 'closed'; };
socket.onmessage = (event) => {
  const message = JSON.parse(event.data);
  listeners[message.path]?.(message.data);
};

const send = (message) => socket.send(JSON.stringify(message));

for (const path of ['time', 'fa', 'clients']) $(path).onclick = () => send({ path });
$('stream').onclick = () => send({ path: 'stream', blob: [0, 1, 127, 128, 255, 26, 69, 223, 163] });
$('toclient').onsubmit = (event) => {
  event.preventDefault();
  const { id, message } = event.target.elements;
  send({ path: 'toclient', data: { id: id.value, message: message.value } });
};

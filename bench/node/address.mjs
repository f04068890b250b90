// Where a server listens: its only argument is --addr=HOST:PORT, and the first
// line that it prints says where it is, as with `finch bench serve`.

export const [host, port] = split((process.argv[2] ?? '').replace(/^--addr=/, '') || '127.0.0.1:0');

function split(address) {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon), Number(address.slice(colon + 1))];
}

export const maxMessage = 16 << 20;

export function tell(at) {
  console.log(`listening on ${host}:${at} pid ${process.pid}`);
}

// region connect
const base64url = (text) => btoa(text).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');

function connect(token) {
  return new WebSocket('wss://app.example.com/ws', ['finch.v1.json', 'finch.token.' + base64url(token)]);
}
// endregion

// region renew
function renew(socket, token) {
  socket.send(JSON.stringify({ path: 'finch.auth', id: 'renew', data: { token } }));
}
// endregion

export { connect, renew };

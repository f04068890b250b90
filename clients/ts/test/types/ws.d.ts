// What the package ws gives, as far as the page uses it.
declare module 'ws' {
  export const WebSocket: import('finch-client').WebSocketClass;
}

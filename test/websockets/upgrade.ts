/**
 * The lines of a request for a WebSocket (RFC 6455, section 4.1)
 */
export const UPGRADE_LINES = [
  'GET / HTTP/1.1',
  'Host: 127.0.0.1',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
]

/**
 * The whole request
 */
export const UPGRADE = [...UPGRADE_LINES, '', ''].join('\r\n')

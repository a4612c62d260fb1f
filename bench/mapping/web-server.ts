/**
 * Answers as nginx does where there is no page, and keeps the connection
 */
import net from 'node:net'
import { emit, handleCommands, readOptions } from '../../test/child/commands.ts'

const { host } = readOptions<{ host: string }>()
const sockets = new Set<net.Socket>()
const server = net.createServer(socket => {
  sockets.add(socket)
  socket.on('error', () => {})
  socket.once('close', () => { sockets.delete(socket) })
  socket.on('data', () => {
    socket.write(
      `HTTP/1.1 404 Not Found\r\nServer: nginx\r\nDate: ${new Date().toUTCString()}\r\nContent-Type: ` +
        'text/html\r\nContent-Length: 146\r\nConnection: keep-alive\r\n\r\n'
    )
  })
})

server.listen(80, host, () => { emit('listening') })
handleCommands({}, () => {
  server.close()
  sockets.forEach(socket => { socket.destroy() })
})

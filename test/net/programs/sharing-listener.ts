/**
 * Another program that listens on a port with SO_REUSEPORT, without asking whether
 * it is free. Prints `listening`.
 */
import net from 'node:net'
import { bindSocket } from '../../../src/net/bound-socket.ts'

const [, , host, port] = process.argv
const server = net.createServer(socket => { socket.destroy() })

server.on('listening', () => { process.stdout.write('listening') })
bindSocket({ host, port: Number(port) }).listen(server)

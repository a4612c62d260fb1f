import dgram from 'node:dgram'
import { emit, handleCommands, readOptions } from '../../child/commands.ts'

/**
 * A DNS server that has TXT records only (RFC 1035)
 */
export interface TXTServerInit {
  host: string
  zone: Record<string, string[]>
}

const { host, zone } = readOptions<TXTServerInit>()
const socket = dgram.createSocket('udp4')

socket.on('message', (request, { address, port }) => {
  const { name, type, end } = questionOf(request)
  const records = type === 16 ? zone[name] ?? [] : []
  const header = Buffer.alloc(12)
  header.writeUInt16BE(request.readUInt16BE(0), 0)
  // an authoritative answer: NXDOMAIN where the name has nothing
  header.writeUInt16BE(zone[name] == null ? 0x8583 : 0x8580, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(records.length, 6)
  socket.send(Buffer.concat([header, request.subarray(12, end), ...records.map(toRecord)]), port, address)
})
socket.bind(53, host, () => { emit('listening') })
handleCommands({}, () => { socket.close() })

function questionOf (request: Buffer): { name: string, type: number, end: number } {
  const labels: string[] = []
  let at = 12

  for (let length = request[at]; length > 0; length = request[at]) {
    labels.push(request.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }

  return { name: labels.join('.'), type: request.readUInt16BE(at + 1), end: at + 5 }
}

/**
 * Of the name in the question, for a minute
 */
function toRecord (text: string): Buffer {
  const data = Buffer.from(text)
  const record = Buffer.from([0xc0, 0x0c, 0, 16, 0, 1, 0, 0, 0, 60, 0, 0, data.length])
  record.writeUInt16BE(data.length + 1, 10)

  return Buffer.concat([record, data])
}

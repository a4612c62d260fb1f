import dgram from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { Endpoint } from 'libp2p-tcp-stun/net'

/**
 * A description of a router has some 5 kB
 */
const MAX_BODY = 64 * 1024

/**
 * When a request is sent again, in ms: a wireless network may lose the first
 */
const RESEND = 100

export interface Answer<T> {
  answer: T

  /**
   * From the first request to the answer, in ms
   */
  roundTrip: number
}

export interface AskUDPInit<T> {
  /**
   * Answers of other hosts are ignored
   */
  from: string

  to: Endpoint

  /**
   * Where else to send it, once: the router may answer here only
   */
  alsoTo?: Endpoint

  /**
   * @param local - the address that it leaves from
   */
  request(local: string): string | Uint8Array

  /**
   * @returns `undefined` for what is no answer
   */
  parse(bytes: Buffer): T | undefined

  /**
   * Ends the wait
   */
  signal: AbortSignal
}

/**
 * Ask a router by UDP
 *
 * @returns `undefined` when the router refuses, at once, and when there was no answer
 * until the signal was aborted
 */
export async function askUDP<T> (init: AskUDPInit<T>): Promise<Answer<T> | undefined> {
  const { from, to, alsoTo, signal } = init

  if (signal.aborted) {
    return
  }

  const local = await localAddressTo(from)

  if (local == null) {
    return
  }

  const { promise, resolve } = Promise.withResolvers<Answer<T> | undefined>()
  const socket = dgram.createSocket(isIPv6(from) ? 'udp6' : 'udp4')
  const request = init.request(local)
  const send = (): void => {
    if (alsoTo == null) {
      socket.send(request, () => {})
    } else {
      socket.send(request, to.port, to.host, () => {})
    }
  }
  // what has arrived counts, although this process was too busy to see it in time
  const giveUp = (): void => { setImmediate(() => { resolve(undefined) }) }
  let since = performance.now()

  signal.addEventListener('abort', giveUp)
  socket.on('error', giveUp)
  socket.on('message', (bytes, { address }) => {
    const answer = address.split('%')[0] === from.split('%')[0] ? init.parse(bytes) : undefined

    if (answer !== undefined) {
      resolve({ answer, roundTrip: performance.now() - since })
    }
  })

  if (alsoTo == null) {
    // a connected socket sees when the router refuses
    socket.connect(to.port, to.host, () => {
      since = performance.now()
      send()
    })
  } else {
    socket.bind(0, () => {
      // multicast leaves by the network that the router is in
      socket.setMulticastInterface(local)
      since = performance.now()
      send()
      socket.send(request, alsoTo.port, alsoTo.host, () => {})
    })
  }

  const resend = setTimeout(send, RESEND)

  try {
    return await promise
  } finally {
    clearTimeout(resend)
    signal.removeEventListener('abort', giveUp)
    socket.close()
  }
}

/**
 * The address that packets to a host leave from; `undefined` without a route. Nothing
 * is sent.
 */
async function localAddressTo (host: string): Promise<string | undefined> {
  const socket = dgram.createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  socket.on('error', () => { resolve(undefined) })
  socket.connect(9, host, () => { resolve(socket.address().address) })

  try {
    return await promise
  } finally {
    socket.close()
  }
}

export interface AskHTTPInit {
  method?: 'GET' | 'POST'
  headers?: Record<string, string>
  body?: string
  signal: AbortSignal
}

/**
 * @returns the body of the response
 * @throws the system's error, or that the response is longer than 64 KiB
 */
export async function askHTTP (url: URL, { method = 'GET', headers, body = '', signal }: AskHTTPInit): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  // on demand: it takes as long to load as half of all the rest, and few routers are asked by HTTP
  const http = process.getBuiltinModule('node:http')
  const request = http.request(url, { method, headers, signal, agent: false }, response => {
    let text = ''
    response.setEncoding('latin1')
    response.on('error', reject)
    response.on('end', () => { resolve(text) })
    response.on('data', (chunk: string) => {
      text += chunk

      if (text.length > MAX_BODY) {
        request.destroy(new Error(`The response of ${url.host} is longer than ${MAX_BODY} bytes`))
      }
    })
  })
  request.on('error', reject)
  request.end(body)

  return promise
}

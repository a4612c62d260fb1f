import { isIP } from 'node:net'
import { toBytes } from 'libp2p-tcp-stun/net'

/**
 * The port of NAT-PMP and PCP servers
 */
export const PCP_PORT = 5351

/**
 * What a router says of its external address: `null` when it has none
 */
export type ExternalAddress = string | null

const RESPONSE = 0x80

/**
 * NAT-PMP's result code of a router that has no address
 */
const NETWORK_FAILURE = 3

/**
 * NAT-PMP, RFC 6886, section 3.2: version 0, opcode 0
 */
export const NAT_PMP_ADDRESS_REQUEST = Uint8Array.of(0, 0)

/**
 * The external address of a NAT-PMP response
 *
 * @returns `undefined` when the bytes are no such response. The result "network
 * failure" is one: the router has no address.
 */
export function parseNATPMP (bytes: Uint8Array): ExternalAddress | undefined {
  const isResponse = bytes.length >= 8 && bytes[0] === 0 && bytes[1] === RESPONSE
  const result = (bytes[2] << 8) | bytes[3]

  if (!isResponse || (result !== 0 && result !== NETWORK_FAILURE)) {
    return
  }

  return result === 0 && bytes.length >= 12 ? toExternal([...bytes.subarray(8, 12)].join('.')) : null
}

/**
 * PCP, RFC 6887, sections 7.1 and 14.1: an ANNOUNCE request, which changes nothing
 *
 * @param client - the address that the request leaves from
 */
export function pcpAnnounce (client: string): Uint8Array {
  const request = new Uint8Array(24)
  request[0] = 2
  request.set(toBytes(client) ?? [], 8)

  return request
}

/**
 * Whether the bytes are the response of a server that serves us: version 2, the
 * same opcode, result SUCCESS
 */
export function isPCPSuccess (bytes: Uint8Array): boolean {
  return bytes.length >= 24 && bytes[0] === 2 && bytes[1] === RESPONSE && bytes[3] === 0
}

/**
 * UPnP Device Architecture 1.1, section 1.3.2. The answer comes within a second.
 */
export const SSDP = { host: '239.255.255.250', port: 1900 }

export const SSDP_SEARCH = [
  'M-SEARCH * HTTP/1.1',
  `HOST: ${SSDP.host}:${SSDP.port}`,
  'MAN: "ssdp:discover"',
  'MX: 1',
  'ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1',
  '',
  ''
].join('\r\n')

/**
 * Where the description of the router that has answered is. Only a URL at the router
 * itself is followed.
 */
export function parseSSDP (answer: string, router: string): URL | undefined {
  const isGateway = /^HTTP\/1\.[01] 200\b/.test(answer) && /^ST:.*:InternetGatewayDevice:/im.test(answer)
  const [, location] = /^LOCATION:[ \t]*(\S{1,1000})[ \t]*\r?$/im.exec(answer) ?? []

  return isGateway && location != null ? urlAt(router, location) : undefined
}

export interface UPnPService {
  type: string
  control: URL
}

/**
 * The services of a description by which a router maps ports
 */
export function parseDescription (description: string, base: URL): UPnPService[] {
  return description.split(/<service\b/i).slice(1, 100).flatMap(text => {
    const type = element(text, 'serviceType')
    const path = element(text, 'controlURL')

    if (path == null || type == null || !/^urn:schemas-upnp-org:service:WAN(?:IP|PPP)Connection:\d+$/.test(type)) {
      return []
    }

    const control = urlAt(base.hostname, path, base)

    return control == null ? [] : [{ type, control }]
  })
}

/**
 * The body of a SOAP request for the external address
 */
export function externalAddressRequest (type: string): string {
  return '<?xml version="1.0"?>\r\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' +
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
    `<u:GetExternalIPAddress xmlns:u="${type}"/></s:Body></s:Envelope>\r\n`
}

/**
 * The external address of the SOAP response; an empty one is a valid answer
 */
export function parseExternalAddress (response: string): ExternalAddress | undefined {
  const text = element(response, 'NewExternalIPAddress')

  return text == null ? undefined : toExternal(text)
}

function toExternal (host: string): ExternalAddress | undefined {
  if (host === '' || host === '0.0.0.0') {
    return null
  }

  return isIP(host) === 4 ? host : undefined
}

function element (xml: string, name: string): string | undefined {
  return new RegExp(`<${name}\\b[^<>]{0,200}>\\s{0,100}([^<]{0,1000}?)\\s{0,100}</`, 'i').exec(xml)?.[1]
}

function urlAt (router: string, text: string, base?: URL): URL | undefined {
  const url = URL.parse(text, base?.href)

  return url?.protocol === 'http:' && url.hostname === router ? url : undefined
}

import { expect } from 'aegir/chai'
import { findIPv4Gateway, findIPv6Gateway } from '../src/check/gateway/default-gateway.ts'
import {
  externalAddressRequest, isPCPSuccess, parseDescription, parseExternalAddress, parseNATPMP, parseSSDP, pcpAnnounce
} from '../src/check/gateway/messages.ts'

const ROUTER = '192.168.1.1'
const LOCATION = 'http://192.168.1.1:5000/rootDesc.xml'

/**
 * Of miniupnpd 2.3.1
 */
const SSDP_ANSWER = [
  'HTTP/1.1 200 OK',
  'CACHE-CONTROL: max-age=120',
  'ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1',
  'USN: uuid:00000000-0000-4000-8000-000000000001::urn:schemas-upnp-org:device:InternetGatewayDevice:1',
  'EXT:',
  'SERVER: Debian/12 UPnP/1.1 MiniUPnPd/2.3.1',
  `LOCATION: ${LOCATION}`,
  'BOOTID.UPNP.ORG: 1',
  '',
  ''
].join('\r\n')

function service (type: string, control: string): string {
  return `<service><serviceType>urn:schemas-upnp-org:service:${type}</serviceType><serviceId>x</serviceId>` +
    `<SCPDURL>/x.xml</SCPDURL><controlURL>${control}</controlURL></service>`
}

describe('the default gateway', () => {
  const heading = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT'

  it('IPv4: is that of the default route with the lowest metric', () => {
    const table = [
      heading,
      'wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0',
      'eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0',
      'eth0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0'
    ].join('\n')

    expect(findIPv4Gateway(table, 'LE')).to.equal('192.168.2.1')
    expect(findIPv4Gateway(table.replace('0102A8C0', 'C0A80201'), 'BE')).to.equal('192.168.2.1')
  })

  it('IPv4: is none of a route without a router, nor of half of the internet', () => {
    expect(findIPv4Gateway([
      heading,
      'tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0',
      'tun0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0'
    ].join('\n'), 'LE')).to.equal(undefined)
    expect(findIPv4Gateway('')).to.equal(undefined)
  })

  it('IPv6: has a zone where its address is one of the link', () => {
    const zero = '0'.repeat(32)
    const row = (hop: string, metric: string): string =>
      `${zero} 00 ${zero} 00 ${hop} ${metric} 00000001 00000000 00000003     eth0`
    const unreachable = `${zero} 00 ${zero} 00 ${zero} ffffffff 00000001 00000000 00200200       lo`
    const local = 'fe80000000000000000000000000000a'
    const global = '20010db8000000000000000000000001'

    expect(findIPv6Gateway([row(global, '00000400'), row(local, '00000064'), unreachable].join('\n')))
      .to.equal('fe80::a%eth0')
    expect(findIPv6Gateway(row(global, '00000400'))).to.equal('2001:db8::1')
    expect(findIPv6Gateway(unreachable)).to.equal(undefined)
  })
})

describe('what a router answers', () => {
  for (const { title, bytes, expected } of [
    { title: 'an address', bytes: [0, 128, 0, 0, 0, 0, 0, 9, 11, 1, 0, 1], expected: '11.1.0.1' },
    { title: 'no address yet', bytes: [0, 128, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0], expected: null },
    { title: 'a network failure', bytes: [0, 128, 0, 3, 0, 0, 0, 9, 0, 0, 0, 0], expected: null },
    { title: 'an address cut off', bytes: [0, 128, 0, 0, 0, 0, 0, 9, 11, 1], expected: null },
    { title: 'a refusal', bytes: [0, 128, 0, 2, 0, 0, 0, 9], expected: undefined },
    { title: 'another opcode', bytes: [0, 129, 0, 0, 0, 0, 0, 9, 11, 1, 0, 1], expected: undefined },
    { title: 'PCP', bytes: [2, 128, 0, 0, 0, 0, 0, 9, 11, 1, 0, 1], expected: undefined },
    { title: 'nothing', bytes: [], expected: undefined }
  ]) {
    it(`NAT-PMP: ${title}`, () => {
      expect(parseNATPMP(Uint8Array.from(bytes))).to.equal(expected)
    })
  }

  it('PCP: asks with the address it leaves from, and believes only a success', () => {
    expect(Buffer.from(pcpAnnounce('192.168.1.2')).toString('hex'))
      .to.equal('0200000000000000' + '00000000000000000000ffffc0a80102')
    expect(Buffer.from(pcpAnnounce('2001:db8::2')).toString('hex'))
      .to.equal('0200000000000000' + '20010db8000000000000000000000002')

    const success = Uint8Array.from({ ...Array(24).fill(0), 0: 2, 1: 128, length: 24 })
    expect(isPCPSuccess(success)).to.equal(true)
    expect(isPCPSuccess(success.with(3, 12))).to.equal(false)
    expect(isPCPSuccess(success.with(1, 0))).to.equal(false)
    expect(isPCPSuccess(success.subarray(0, 23))).to.equal(false)
  })

  it('SSDP: the description at the router, and at no other host', () => {
    expect(parseSSDP(SSDP_ANSWER, ROUTER)?.href).to.equal(LOCATION)
    expect(parseSSDP(SSDP_ANSWER.replace('192.168.1.1:', '192.168.1.7:'), ROUTER)).to.equal(undefined)
    expect(parseSSDP(SSDP_ANSWER.replace('http:', 'https:'), ROUTER)).to.equal(undefined)
    expect(parseSSDP(SSDP_ANSWER.replace('http:', 'file:'), ROUTER)).to.equal(undefined)
    expect(parseSSDP(SSDP_ANSWER.replace(LOCATION, ''), ROUTER)).to.equal(undefined)
    expect(parseSSDP(SSDP_ANSWER.replaceAll('InternetGatewayDevice', 'MediaServer'), ROUTER)).to.equal(undefined)
    expect(parseSSDP(SSDP_ANSWER.replace('200 OK', '500 No'), ROUTER)).to.equal(undefined)
  })

  it('UPnP: the services that map ports', () => {
    const description = '<root><device><serviceList>' +
      service('Layer3Forwarding:1', '/ctl/L3F') + service('WANIPConnection:2', '/ctl/IPConn') +
      service('WANPPPConnection:1', 'http://192.168.1.1:5000/ppp') +
      service('WANIPConnection:1', 'http://11.0.0.1/elsewhere') +
      service('WANIPConnection:1', 'http://[') +
      '</serviceList></device></root>'

    expect(parseDescription(description, new URL(LOCATION)).map(({ type, control }) => [type, control.href]))
      .to.deep.equal([
        ['urn:schemas-upnp-org:service:WANIPConnection:2', 'http://192.168.1.1:5000/ctl/IPConn'],
        ['urn:schemas-upnp-org:service:WANPPPConnection:1', 'http://192.168.1.1:5000/ppp']
      ])
    expect(parseDescription('', new URL(LOCATION))).to.deep.equal([])
  })

  it('UPnP: an address, none, or nonsense', () => {
    const answer = (text: string): string =>
      `<s:Body><u:GetExternalIPAddressResponse><NewExternalIPAddress>${text}</NewExternalIPAddress></s:Body>`

    expect(parseExternalAddress(answer('11.1.0.1'))).to.equal('11.1.0.1')
    expect(parseExternalAddress(answer(' 11.1.0.1\n'))).to.equal('11.1.0.1')
    expect(parseExternalAddress(answer(''))).to.equal(null)
    expect(parseExternalAddress(answer('0.0.0.0'))).to.equal(null)
    expect(parseExternalAddress(answer('nonsense'))).to.equal(undefined)
    expect(parseExternalAddress('<fault/>')).to.equal(undefined)
    expect(externalAddressRequest('urn:x')).to.include('<u:GetExternalIPAddress xmlns:u="urn:x"/>')
  })

  it('UPnP: reads the longest answer in a moment', () => {
    const long = '<service>'.repeat(2_000) + '<serviceType '.repeat(3_000) + ' '.repeat(20_000)

    expect(parseDescription(long, new URL(LOCATION))).to.deep.equal([])
    expect(parseExternalAddress('<NewExternalIPAddress>'.repeat(3_000))).to.equal(undefined)
  })
})

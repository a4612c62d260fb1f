import { expect } from 'aegir/chai'
import { InvalidSTUNURIError } from '../../src/stun/errors.ts'
import { parseSTUNURI } from '../../src/stun/uri.ts'

describe('STUN URI', () => {
  for (const [uri, expected] of Object.entries({
    'stun:stun.example.org': { scheme: 'stun', transport: 'tcp', host: 'stun.example.org' },
    'stuns:stun.example.org': { scheme: 'stuns', transport: 'tls', host: 'stun.example.org' },
    'STUN:Stun.Example.ORG:80': { scheme: 'stun', transport: 'tcp', host: 'stun.example.org', port: 80 },
    'stun:11.0.0.1:65535': { scheme: 'stun', transport: 'tcp', host: '11.0.0.1', port: 65_535 },
    'stuns:[2A00::1]': { scheme: 'stuns', transport: 'tls', host: '2a00::1' },
    'stun:[::1]:1': { scheme: 'stun', transport: 'tcp', host: '::1', port: 1 },
    'stun:localhost': { scheme: 'stun', transport: 'tcp', host: 'localhost' },
    'stun:bücher.example': { scheme: 'stun', transport: 'tcp', host: 'xn--bcher-kva.example' },
    'stun:stun.example.org.': { scheme: 'stun', transport: 'tcp', host: 'stun.example.org.' }
  })) {
    it(uri, () => {
      expect(parseSTUNURI(uri)).to.deep.equal({ uri, ...expected })
    })
  }

  for (const [uri, hint] of [
    ['', 'must begin with stun: or stuns:, like stun:stun.example.org'],
    ['/ip4/11.0.0.1/tcp/3478', 'like stun:stun.example.org'],
    ['stun.example.org', 'stun:stun.example.org'],
    ['stun.example.org:3478', 'must begin'],
    ['http://stun.example.org', 'stun:stun.example.org'],
    ['turn:turn.example.org', 'stun:turn.example.org'],
    ['stun://stun.example.org', 'stun:stun.example.org'],
    ['stun:', 'host is missing'],
    ['stun::3478', 'host is missing'],
    ['stun:stun.example.org:', 'not a port'],
    ['stun:stun.example.org:0', 'not a port'],
    ['stun:stun.example.org:65536', 'not a port'],
    ['stun:stun.example.org:http', 'host or host:port'],
    ['stun:stun.example.org:-1', 'host or host:port'],
    ['stun:2a00::1', 'stun:[2a00::1]'],
    ['stun:[2a00::1', 'host or host:port'],
    ['stun:[2a00::xyz]', 'IPv6'],
    ['stun:[fe80::1%eth0]', 'zone'],
    ['stun:[11.0.0.1]', 'IPv6'],
    ['stun:stun.example.org?transport=udp', 'UDP'],
    ['stun:stun.example.org?transport=tcp', 'stun:stun.example.org'],
    ['stun:user@stun.example.org', 'only a host'],
    ['stun:stun.example.org/path', 'only a host'],
    ['stun: stun.example.org', 'only a host'],
    ['stun:stun..example.org', 'not a host name'],
    ['stun:-.example.org', 'not a host name'],
    [`stun:${'a'.repeat(64)}.example`, 'not a host name'],
    ['stun:999.1.1.1', 'not a host name'],
    ['stun:010.0.0.1', 'not a host name'],
    ['stun:1234', 'not a host name'],
    ['stun:0x7f.1', 'not a host name'],
    ['stun:ex%61mple.org', 'not a host name']
  ]) {
    it(`refuses ${JSON.stringify(uri).slice(0, 50)}`, () => {
      expect(() => parseSTUNURI(uri)).to.throw(InvalidSTUNURIError, hint)
    })
  }

  it('refuses what is no string', () => {
    expect(() => parseSTUNURI(undefined as any)).to.throw(InvalidSTUNURIError, 'string')
  })
})

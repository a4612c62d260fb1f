import { expect } from 'aegir/chai'
import { tcpSTUN } from '../../src/index.ts'
import type { TCPSTUNInit } from '../../src/index.ts'

describe('options of the transport', () => {
  for (const [name, values] of Object.entries<unknown[]>({
    stunConnections: [0, NaN, Infinity, 1.5, '2'],
    keepAliveInterval: [-1, 0, NaN, Infinity, '15000', true],
    minReconnectInterval: [-1, NaN, Infinity, '10000'],
    mappingTimeout: [-1, NaN, Infinity, '2000'],
    maxLingeringDials: [0.5, -1, NaN, Infinity, '4'],
    inboundSocketInactivityTimeout: [-1, NaN, Infinity, '1000'],
    outboundSocketInactivityTimeout: [-1, NaN, Infinity, '1000'],
    maxConnections: [-1, NaN, '10'],
    backlog: [-1, NaN, Infinity, '511'],
    closeServerOnMaxConnections: [10],
    allowPrivateMapping: ['false', 0],
    portReuse: ['no', 1],
    announce: ['allways', true],
    onMappingChange: ['log', {}],
    dialOpts: ['noDelay'],
    listenOpts: [true],
    tls: [true],
    stunServers: ['stun:example.org', {}]
  })) {
    for (const value of values) {
      it(`refuses ${name} = ${typeof value === 'string' ? `'${value}'` : String(value)}, by name`, () => {
        expect(() => tcpSTUN({ [name]: value }))
          .to.throw(`${name} must be `).with.property('name', 'InvalidParametersError')
      })
    }
  }

  for (const init of [null, 'stun:example.org', 5, ['stun:example.org']]) {
    it(`refuses options that are ${JSON.stringify(init)}`, () => {
      expect(() => tcpSTUN(init as any))
        .to.throw('tcpSTUN() must be an object').with.property('name', 'InvalidParametersError')
    })
  }

  it('says which options there are', () => {
    expect(() => tcpSTUN({ stunServer: 'stun:example.org' } as any))
      .to.throw(/There is no option stunServer, tcpSTUN\(\) has .*\bstunServers\b/)
  })

  it('takes undefined for an option that is not given', () => {
    expect(tcpSTUN({ keepAliveInterval: undefined, stunServers: undefined, onMappingChange: undefined }))
      .to.be.a('function')
  })

  for (const server of ['http://example.org', 'stun:example.org?transport=udp', 'stun:', '']) {
    it(`refuses the server '${server}', by name`, () => {
      expect(() => tcpSTUN({ stunServers: ['stun:example.org', server] }))
        .to.throw('stunServers')
        .with.property('name', 'InvalidParametersError')
    })
  }

  it('refuses connection limits that exclude each other', () => {
    expect(() => tcpSTUN({ closeServerOnMaxConnections: { closeAbove: 1, listenBelow: 2 } })).to.throw('closeAbove')
  })

  for (const name of ['dns', 'clock', 'network', 'random', 'listener', 'isHeld', 'fastHolePunch', 'earlyHolePunch']) {
    it(`refuses the unknown option ${name}, by name`, () => {
      expect(() => tcpSTUN({ [name]: {} })).to.throw(name).with.property('name', 'InvalidParametersError')
    })
  }

  for (const credential of [
    {}, { username: 'a' }, { username: '', password: 'b' }, { username: 'a'.repeat(509), password: 'b' }
  ]) {
    it(`refuses the credential ${JSON.stringify(credential).slice(0, 40)}`, () => {
      expect(() => tcpSTUN({ stunCredential: credential as any })).to.throw('stunCredential')
    })
  }

  for (const { webSockets, names } of [
    { webSockets: 'yes', names: 'webSockets' },
    { webSockets: { port: 80 }, names: 'webSockets.port' },
    { webSockets: { onRequest: 1 }, names: 'webSockets.onRequest' },
    { webSockets: { onSTUN: 1 }, names: 'webSockets.onSTUN' },
    { webSockets: { hosts: 'home.example' }, names: 'webSockets.hosts' },
    { webSockets: { origins: [1] }, names: 'webSockets.origins' },
    { webSockets: { maxMessageSize: 0 }, names: 'webSockets.maxMessageSize' },
    { webSockets: { certificate: { key: 'a', certFile: 'b' } }, names: 'webSockets.certificate' }
  ]) {
    it(`refuses webSockets of ${JSON.stringify(webSockets)}, by name`, () => {
      expect(() => tcpSTUN({ webSockets: webSockets as any }))
        .to.throw(names).with.property('name', 'InvalidParametersError')
    })
  }

  it('takes all options of @libp2p/tcp, and its own', () => {
    const options: Required<TCPSTUNInit> = {
      inboundSocketInactivityTimeout: 1,
      outboundSocketInactivityTimeout: 1,
      maxConnections: 1,
      backlog: 1,
      closeServerOnMaxConnections: { closeAbove: 2, listenBelow: 1 },
      dialOpts: {},
      listenOpts: {},
      stunServers: ['stun:example.org'],
      tls: {},
      stunCredential: { username: 'member', password: 'secret' },
      stunConnections: 1,
      keepAliveInterval: 1,
      minReconnectInterval: 1,
      allowPrivateMapping: true,
      mappingTimeout: 1,
      announce: 'always',
      portReuse: true,
      maxLingeringDials: 1,
      webSockets: true,
      onMappingChange: () => {}
    }

    expect(tcpSTUN(options)).to.be.a('function')
  })
})

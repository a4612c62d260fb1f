import { expect } from 'aegir/chai'
import { Failures } from '../../src/mapping/failures.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { STUNConnectionError, STUNResolveError } from '../../src/stun/errors.ts'

const unresolved = (server: string, code?: string): [string, Error] => [
  server,
  new STUNResolveError(`Could not resolve the IPv4 address of ${server}`, { cause: { code } })
]

const CASES: Array<{ title: string, failures: Array<[string, Error]>, message: string }> = [
  {
    title: 'one server',
    failures: [['stun:a', new STUNConnectionError('refused')]],
    message: 'refused'
  },
  {
    title: 'servers with an error each',
    failures: [['stun:a', new STUNConnectionError('refused')], ['stun:b', new STUNConnectionError('stun:b is silent')]],
    message: 'No STUN server can be used: stun:a: refused; stun:b is silent'
  },
  {
    title: 'names that could not be resolved, once for all of them',
    failures: [unresolved('stun:a', 'ENOTFOUND'), unresolved('stun:b', 'ENOTFOUND'), unresolved('stun:c', 'ENOTFOUND')],
    message: 'No STUN server can be used: the names of 3 servers could not be resolved (ENOTFOUND)'
  },
  {
    title: 'such names, and another error',
    failures: [
      unresolved('stun:a', 'ENOTFOUND'), unresolved('stun:b'), ['stun:c', new STUNConnectionError('refused')]
    ],
    message: 'No STUN server can be used: the names of 2 servers could not be resolved (ENOTFOUND, no address); ' +
      'stun:c: refused'
  },
  {
    title: 'one such name, and another error',
    failures: [unresolved('stun:a', 'ENOTFOUND'), ['stun:b', new STUNConnectionError('refused')]],
    message: 'No STUN server can be used: Could not resolve the IPv4 address of stun:a; stun:b: refused'
  }
]

describe('why there is no address', () => {
  for (const { title, failures, message } of CASES) {
    it(`names ${title}`, () => {
      const known = new Failures(systemClock)
      failures.forEach(([server, error]) => { known.add(server, error) })

      expect(known.toError()?.message).to.equal(message)
    })
  }
})

import { autoNAT } from '@libp2p/autonat'
import type { AutoNATComponents } from '@libp2p/autonat'

/**
 * AutoNAT v1 whose server dials, as that of go-libp2p does. That of js-libp2p is satisfied
 * with a connection that it has, and only looks at its address.
 */
export function dialingAutoNAT (components: AutoNATComponents): unknown {
  const connectionManager = new Proxy(components.connectionManager, {
    get: (target, name) => {
      const value = Reflect.get(target, name)

      if (name === 'openConnection') {
        return async (peer: any, options: any) => target.openConnection(peer, { ...options, force: true })
      }

      return typeof value === 'function' ? value.bind(target) : value
    }
  })

  return autoNAT()(
    new Proxy(components, {
      get: (target, name) => (name === 'connectionManager' ? connectionManager : Reflect.get(target, name))
    })
  )
}

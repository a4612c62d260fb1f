import { PACKAGES, loadLibp2p, orMissing } from '../check/libp2p.ts'
import type { Libp2pPackages } from '../check/libp2p.ts'

const HELPER_PACKAGES = [...PACKAGES, '@libp2p/autonat-v2', '@libp2p/circuit-relay-v2', '@libp2p/crypto', '@libp2p/identify']

export interface HelperPackages extends Libp2pPackages {
  identify: typeof import('@libp2p/identify').identify
  autoNATv2: typeof import('@libp2p/autonat-v2').autoNATv2
  circuitRelayServer: typeof import('@libp2p/circuit-relay-v2').circuitRelayServer
}

export type KeyPackage = Pick<typeof import('@libp2p/crypto/keys'), 'generateKeyPair' | 'privateKeyFromProtobuf' | 'privateKeyToProtobuf'>

/**
 * @throws {MissingPackagesError} not all of them are installed
 */
export async function loadHelperPackages (): Promise<HelperPackages> {
  return orMissing(HELPER_PACKAGES, async () => {
    const [base, { identify }, { autoNATv2 }, { circuitRelayServer }] = await Promise.all([
      loadLibp2p(),
      import('@libp2p/identify'),
      import('@libp2p/autonat-v2'),
      import('@libp2p/circuit-relay-v2')
    ])

    return { ...base, identify, autoNATv2, circuitRelayServer }
  })
}

/**
 * @throws {MissingPackagesError} it is not installed
 */
export async function loadKeyPackage (): Promise<KeyPackage> {
  return orMissing(HELPER_PACKAGES, async () => import('@libp2p/crypto/keys'))
}

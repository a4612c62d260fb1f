/**
 * Packages that a node of libp2p is made of. They are not dependencies: who runs
 * a node has them, who only has a NAT checked does without.
 */
export const PACKAGES = ['libp2p', '@libp2p/noise', '@libp2p/yamux'] as const

/**
 * Packages that are not installed, with how to install them
 */
export class MissingPackagesError extends Error {
  static name = 'MissingPackagesError'
  name = 'MissingPackagesError'
}

export interface Libp2pPackages {
  createLibp2p: typeof import('libp2p').createLibp2p
  noise: typeof import('@libp2p/noise').noise
  yamux: typeof import('@libp2p/yamux').yamux
}

/**
 * @throws {MissingPackagesError} not all of them are installed
 */
export async function loadLibp2p (): Promise<Libp2pPackages> {
  const [{ createLibp2p }, { noise }, { yamux }] = await orMissing(PACKAGES, async () => Promise.all([import('libp2p'), import('@libp2p/noise'), import('@libp2p/yamux')]))

  return { createLibp2p, noise, yamux }
}

/**
 * @throws {MissingPackagesError} one of the packages is not installed
 */
export async function orMissing<T> (packages: readonly string[], load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (err: any) {
    if (err.code === 'ERR_MODULE_NOT_FOUND') {
      throw new MissingPackagesError(`A node of libp2p is needed for this: npm install ${packages.join(' ')}`, { cause: err })
    }

    throw err
  }
}

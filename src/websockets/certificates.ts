import { X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { InvalidParametersError } from '@libp2p/interface'
import { FILE_CHECK_INTERVAL } from './constants.ts'
import type { AutoTLSCertificate } from './auto-tls.ts'
import type { CertificateFiles, PEMCertificate, WebSocketsOptions } from './options.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Logger } from '@libp2p/interface'
import type { SecureContext } from 'node:tls'

export interface CertificatesInit {
  certificate: WebSocketsOptions['certificate']
  autoTLS: AutoTLSCertificate
  clock: Clock
  log: Logger

  /**
   * There is a certificate for the first time
   */
  onFirst(): void
}

/**
 * The certificate of new TLS connections. It changes while older connections live on.
 */
export class Certificates {
  private readonly init: CertificatesInit
  private current?: { context: SecureContext, x509: X509Certificate }
  private timer?: Timer
  private closed = false

  /**
   * When the files were written that the current certificate is from
   */
  private written = ''

  constructor (init: CertificatesInit) {
    this.init = init
  }

  /**
   * None while there is no certificate
   */
  get context (): SecureContext | undefined {
    return this.current?.context
  }

  /**
   * Whether the certificate is for this name
   */
  isFor (name: string): boolean {
    return this.current?.x509.checkHost(name) != null
  }

  /**
   * @throws {InvalidParametersError} the certificate of the options cannot be used
   */
  async open (): Promise<void> {
    const { certificate, autoTLS } = this.init

    if (certificate == null) {
      this.onAutoTLS()
      autoTLS.addEventListener('change', this.onAutoTLS)
      return
    }

    try {
      await this.load(certificate)
    } catch (err: any) {
      throw new InvalidParametersError(`webSockets.certificate cannot be used: ${err.message}`)
    }

    if ('keyFile' in certificate) {
      this.watch(certificate)
    }
  }

  close (): void {
    this.closed = true
    this.timer?.clear()
    this.init.autoTLS.removeEventListener('change', this.onAutoTLS)
  }

  private readonly onAutoTLS = (): void => {
    const { autoTLS: { current }, log } = this.init

    try {
      if (current != null) {
        this.use(current)
      }
    } catch (err) {
      log.error('the certificate of AutoTLS cannot be used - %e', err)
    }
  }

  private async load (certificate: PEMCertificate | CertificateFiles): Promise<void> {
    if (!('keyFile' in certificate)) {
      this.use(certificate)
      return
    }

    const { keyFile, certFile } = certificate
    const written = await lastWritten(certificate)

    if (written === this.written) {
      return
    }

    const [key, cert] = await Promise.all([readFile(keyFile, 'utf8'), readFile(certFile, 'utf8')])
    this.use({ key, cert })
    this.written = written
  }

  private use ({ key, cert }: PEMCertificate): void {
    const isFirst = this.current == null
    this.current = {
      // TLS 1.2 is the oldest version that is not deprecated (RFC 8996)
      context: createSecureContext({ key, cert, minVersion: 'TLSv1.2' }),
      x509: new X509Certificate(cert)
    }

    if (isFirst) {
      this.init.onFirst()
    }
  }

  /**
   * The two files are not written in one moment, so a pair that does not fit is read again
   */
  private watch (files: CertificateFiles): void {
    const { clock, log } = this.init
    this.timer = clock.setTimeout(() => {
      this.load(files)
        .catch(err => { log.error('the certificate files cannot be used, the former certificate stays - %e', err) })
        .finally(() => {
          if (!this.closed) {
            this.watch(files)
          }
        })
    }, FILE_CHECK_INTERVAL)
  }
}

async function lastWritten ({ keyFile, certFile }: CertificateFiles): Promise<string> {
  const stats = await Promise.all([stat(keyFile), stat(certFile)])

  return stats.map(({ mtimeMs, ino }) => `${ino}-${mtimeMs}`).join()
}

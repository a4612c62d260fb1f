import { X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import type { CertificateStatus } from './status.ts'

/**
 * A certificate in PEM, or the file that it is read from
 */
export type CertificateSource = { cert: string } | { certFile: string }

/**
 * What is known of the certificate for browsers. A file is read again when it has changed.
 */
export class ServedCertificate {
  private readonly source: CertificateSource
  private written = -1
  private status: CertificateStatus[] = []

  constructor (source: CertificateSource) {
    this.source = source
  }

  read (): CertificateStatus[] {
    try {
      this.update()
    } catch {
      // the transport goes on with the certificate that it has, and says why
    }

    return this.status
  }

  private update (): void {
    const { source } = this
    const written = 'certFile' in source ? statSync(source.certFile).mtimeMs : 0

    if (written !== this.written) {
      this.written = written
      this.status = [statusOf('certFile' in source ? readFileSync(source.certFile, 'utf8') : source.cert)]
    }
  }
}

function statusOf (pem: string): CertificateStatus {
  const { subjectAltName = '', validTo } = new X509Certificate(pem)
  const names = subjectAltName.split(', ').map(name => name.replace(/^[^:]*:/, '')).filter(name => name !== '')

  return { names, expires: Date.parse(validTo) }
}

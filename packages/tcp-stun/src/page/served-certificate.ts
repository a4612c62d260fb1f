import { X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import type { CertificateStatus } from './status.ts'

/**
 * A certificate in PEM, which may come later and change, or the file that it is read from
 */
export type CertificateSource = { readonly cert: string | undefined } | { certFile: string }

/**
 * What is known of the certificate for browsers. A file is read again when it has changed.
 */
export class ServedCertificate {
  private readonly source: CertificateSource

  /**
   * What the status is of: the text, or when the file was written
   */
  private version?: string | number
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
    const version = 'certFile' in source ? statSync(source.certFile).mtimeMs : source.cert

    if (version != null && version !== this.version) {
      this.version = version
      const certificate = 'certFile' in source ? readFileSync(source.certFile, 'utf8') : source.cert ?? ''
      this.status = [certificateStatus(certificate)]
    }
  }
}

/**
 * What a certificate in PEM says
 */
export function certificateStatus (pem: string): CertificateStatus {
  const { subjectAltName = '', validTo } = new X509Certificate(pem)
  const names = subjectAltName.split(', ').map(name => name.replace(/^[^:]*:/, '')).filter(name => name !== '')

  return { names, expires: Date.parse(validTo) }
}

/** Why the service does not start: one line that tells the operator what to do. */
export class StartError extends Error {
  override name = 'StartError'
}

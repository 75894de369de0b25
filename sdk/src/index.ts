/** The version of this package. The client and the verifier come with their own issue. */
export const VERSION = '0.1.0'

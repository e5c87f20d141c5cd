"""Who signs: certificate authorities, identities in MSP folders, and the judging of certificates others show."""

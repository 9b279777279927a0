// Made with another implementation of Web Crypto. key: bytes 0…31, iv: 0…11, block: 16 bytes 255, data: "holdfast".

export const pairs = {
  'RSASSA-PKCS1-v1_5': {
    algorithm: {
      name: 'RSASSA-PKCS1-v1_5',
      hash: 'SHA-256'
    },
    operation: {
      name: 'RSASSA-PKCS1-v1_5'
    },
    jwk: {
      kty: 'RSA',
      n: '5oECXHfMdcz0Y4lLahqlN4uT11s3bFI0XO5ydYe13XWGY6C1KWX1u3Mh7AbLNUWzEAXsSQpLfEziRt09vN3d1jYkSVzJntp8rLAH0SOaTndPv7dSKP5u2rO4nhJH6ocVfL25tABpAchzA8B0rCiK8fGwbZ8el8tjLYnOwvMrHS0',
      e: 'AQAB',
      d: 'guMy0gr8wM-W3oZxmlhzBK1vT9RuDkZHkZWczPw42v4HR79T36QT-1MPKhVZgnCHk0uptnfwES8fNhofGoXplsvbBAfQ1F5PKqhbEBZQVgohSbGY70FkcSNKgAJObOJCiiTNX5VkkuvgadPPSrHCZD1f6SKolffZ9O8L-fiXYUE',
      p: '81EiUwunRJd53a4t5q72OtxQKOcHYLkVIqGbxPk6Uv0nOlkrUBuzEHikba1EzvDaPYYchJ6oGbr7vvL7tnXD1Q',
      q: '8oTlclqeEQHnxg1b2cK2zqaeIr3zP5sJKbZ42fSCKePwlkxK-kPsFSPJaWrVq5f80l0YVT_cGWUTh_WmiymX-Q',
      dp: 'KlIXXUhunJCYQsWT-EbATzaYvrSIZPtsQKzJUjZjPaIIm658yR84Qwoo12bGzBO6ce8MsMiDxo3uUaUjwPW0zQ',
      dq: 'B9wew5IERXDWXijYrToOSqxDu8SEOa-AoIV1bTrrbQgiJ_zZATtqT1UVlgEMY79NRlQWEc08COapt2JSv3fdoQ',
      qi: 'CZUDK3voAq9VHHf0yxtm3fOI6LDpg7sVOMAj-f4nfFi65U0lhPGaaFOGEIOwwAPA5294pBknJVzFcc_YIar4AA',
      alg: 'RS256'
    },
    pkcs8: 'MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAOaBAlx3zHXM9GOJS2oapTeLk9dbN2xSNFzucnWHtd11hmOgtSll9btzIewGyzVFsxAF7EkKS3xM4kbdPbzd3dY2JElcyZ7afKywB9Ejmk53T7-3Uij-btqzuJ4SR-qHFXy9ubQAaQHIcwPAdKwoivHxsG2fHpfLYy2JzsLzKx0tAgMBAAECgYEAguMy0gr8wM-W3oZxmlhzBK1vT9RuDkZHkZWczPw42v4HR79T36QT-1MPKhVZgnCHk0uptnfwES8fNhofGoXplsvbBAfQ1F5PKqhbEBZQVgohSbGY70FkcSNKgAJObOJCiiTNX5VkkuvgadPPSrHCZD1f6SKolffZ9O8L-fiXYUECQQDzUSJTC6dEl3ndri3mrvY63FAo5wdguRUioZvE-TpS_Sc6WStQG7MQeKRtrUTO8No9hhyEnqgZuvu-8vu2dcPVAkEA8oTlclqeEQHnxg1b2cK2zqaeIr3zP5sJKbZ42fSCKePwlkxK-kPsFSPJaWrVq5f80l0YVT_cGWUTh_WmiymX-QJAKlIXXUhunJCYQsWT-EbATzaYvrSIZPtsQKzJUjZjPaIIm658yR84Qwoo12bGzBO6ce8MsMiDxo3uUaUjwPW0zQJAB9wew5IERXDWXijYrToOSqxDu8SEOa-AoIV1bTrrbQgiJ_zZATtqT1UVlgEMY79NRlQWEc08COapt2JSv3fdoQJACZUDK3voAq9VHHf0yxtm3fOI6LDpg7sVOMAj-f4nfFi65U0lhPGaaFOGEIOwwAPA5294pBknJVzFcc_YIar4AA',
    spki: 'MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDmgQJcd8x1zPRjiUtqGqU3i5PXWzdsUjRc7nJ1h7XddYZjoLUpZfW7cyHsBss1RbMQBexJCkt8TOJG3T283d3WNiRJXMme2nyssAfRI5pOd0-_t1Io_m7as7ieEkfqhxV8vbm0AGkByHMDwHSsKIrx8bBtnx6Xy2Mtic7C8ysdLQIDAQAB',
    made: 'Cy2Vr9gSoap-qE9-kO9DB0IpbT-pKW8ELygXfS8MyhypIlGOuSOczpaBQQXYoyrBWbhceXITkMTf7ktHTKTMxRpOLPtJthVUYCm9VPIoMN6PxS_dmu4kY4A2kLLOXCE3KRyay6EcV24y1puoTr61AbD7Km7IIOmymA8KvgR5mBM'
  },
  'RSA-PSS': {
    algorithm: {
      name: 'RSA-PSS',
      hash: 'SHA-1'
    },
    operation: {
      name: 'RSA-PSS',
      saltLength: 20
    },
    jwk: {
      kty: 'RSA',
      n: 'yEBMYr3otMFjzWT1TO3n43u4G3DNI0ILW9bWHjCd6X_fT8Wl2WL95FzNMvzGkGbbj-ZXTTDo1sid72winkCDa7_TbkLVGJD5lHvVL2qBLYHfDU6VKaNYlQx0qzirh5yYndGVuXI8fEONOoUigvnWJVGE0vNERDoGWkLEgtmA5_s',
      e: 'AQAB',
      d: 'WhPSSHh0vRpg8nt_fGNn9AQrBOzw2fNTeLRjDKGB5w8GPLQDro3A94BnLZBXIY2jJk_O5YIiurrzkEdsKxOKCZk7-R5xx0wsCbIO11JFslMeTpsU9QZNOuT3lYXH8jtbD_3Gr2T7ayzSwRNIEwYrjFk8VmjNHUI66OGwH_8PqwE',
      p: '-nbxHvpRTfa7RwB57_ngJHtxSy3zW2xBxIOLvUAt7CFKrtC5DYWWxB2aRw2H4-mNclrPrez6sQxKEiMFe8-bMQ',
      q: 'zK1DUb_pqukX4rYzALPc0KK-Ud_P_dkAha4P38HXZyDfvMxARlTNY6pqoMo-si0t4x40sID8kSxDfS3OYEQS6w',
      dp: 'LK_-E2XcDcoA3gkyuGNf34J600wOiHhHP7WswAZsax4BgjFRYx07qiAR_61lWn-4MfgL599JVz93E8dV2iJPcQ',
      dq: 'hEWAmOcuah5DKmdW5KBYFpjl5-F89-7yMHIBnjgWLXaIQOm6q_kH1t3-FLU--UTLP9h4coyZLHRvlQkyMvIrSw',
      qi: 'L56jB3jXlhEfU53Yt0LTMgWKTGKzkHWt8yG5uChq83oTqVnrmur8HDsw-3obPBQEaZULaG6h5IZeVcZMO0e9dg',
      alg: 'PS1'
    },
    pkcs8: 'MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAMhATGK96LTBY81k9Uzt5-N7uBtwzSNCC1vW1h4wnel_30_Fpdli_eRczTL8xpBm24_mV00w6NbIne9sIp5Ag2u_025C1RiQ-ZR71S9qgS2B3w1OlSmjWJUMdKs4q4ecmJ3RlblyPHxDjTqFIoL51iVRhNLzREQ6BlpCxILZgOf7AgMBAAECgYBaE9JIeHS9GmDye398Y2f0BCsE7PDZ81N4tGMMoYHnDwY8tAOujcD3gGctkFchjaMmT87lgiK6uvOQR2wrE4oJmTv5HnHHTCwJsg7XUkWyUx5OmxT1Bk065PeVhcfyO1sP_cavZPtrLNLBE0gTBiuMWTxWaM0dQjro4bAf_w-rAQJBAPp28R76UU32u0cAee_54CR7cUst81tsQcSDi71ALewhSq7QuQ2FlsQdmkcNh-PpjXJaz63s-rEMShIjBXvPmzECQQDMrUNRv-mq6RfitjMAs9zQor5R38_92QCFrg_fwddnIN-8zEBGVM1jqmqgyj6yLS3jHjSwgPyRLEN9Lc5gRBLrAkAsr_4TZdwNygDeCTK4Y1_fgnrTTA6IeEc_tazABmxrHgGCMVFjHTuqIBH_rWVaf7gx-Avn30lXP3cTx1XaIk9xAkEAhEWAmOcuah5DKmdW5KBYFpjl5-F89-7yMHIBnjgWLXaIQOm6q_kH1t3-FLU--UTLP9h4coyZLHRvlQkyMvIrSwJAL56jB3jXlhEfU53Yt0LTMgWKTGKzkHWt8yG5uChq83oTqVnrmur8HDsw-3obPBQEaZULaG6h5IZeVcZMO0e9dg',
    spki: 'MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDIQExivei0wWPNZPVM7efje7gbcM0jQgtb1tYeMJ3pf99PxaXZYv3kXM0y_MaQZtuP5ldNMOjWyJ3vbCKeQINrv9NuQtUYkPmUe9UvaoEtgd8NTpUpo1iVDHSrOKuHnJid0ZW5cjx8Q406hSKC-dYlUYTS80REOgZaQsSC2YDn-wIDAQAB',
    made: 'JLwc0p6hzTH0c-A6jVD86kRr6FUHHfmmMg9c3U5UtrUD_5nfbz5e2YV1in566mUncJMlZKT4DLbsIRjpAXpfdExeaz0vrhy8k6sISYCbnRmL7jCAARkfDYC_p2roXSn-hauqV75dwfT11zVTR-ThBLaQ6ogZhH78qdn7unfP6zo'
  },
  'RSA-OAEP': {
    algorithm: {
      name: 'RSA-OAEP',
      hash: 'SHA-256'
    },
    operation: {
      name: 'RSA-OAEP',
      label: [
        1,
        2,
        3
      ]
    },
    jwk: {
      kty: 'RSA',
      n: '1qS-NQZIubTQjMN4JwryMVdL8XTX6rAewAeOLoe1YMyBd1G3d0b_CK9waLkge7W-KDPY3Q1QbG59Z8tbWju50KIpICBYrg2tZ1UqkttO3N1a9nkzLSlEpQtMpSwjOKkttL7T478VT4rqqvlR92P6dENWEvkmjAxlZSbIikR4C8c',
      e: 'AQAB',
      d: 'oqniw8hpYOMYkTSpX905wg7ILMpBv0eNZjXTmIub9ynEi6pQAYK6T9i0tYhmh5op68mu9YbbhfEN9JT2PCG7JG9ovZNoygpyBR2ESDibOCukmlfgXzmYKIQsYzi1NglL9Q_5BK-4xqd9XbtYVxPgE97EyMo33vVmUu5kO729siE',
      p: '-UZbBfIRrN3EtLGZbJlesJAmmKLsqAJ787sAMxnkuCKVTNVKPlx4B_YeFOzA3A5j92uGntOzWL_MoJ5BmsJ4Pw',
      q: '3G8z1xUCO9KTV1g20TFBz-fHrd8Bid6Y0VxkV0R8k5VU-CIPB8Va2Ffui1t6sSl0ScTCG77TZX0fGkRATXVKeQ',
      dp: 'QstobpJrzA9suyJvwxrhtZway4G0ulxYDHpKVmcU04ZozTrF9ynd-_wmGWNLVmwAu3azjvGZOCnE0jE10RtVDw',
      dq: 'iILtbcN68KVFzg-5Uu_YO_LkPA8hGsqZhP5cvZaSN6uBRXGCMWPNELHT7sWmQ9TSSWTqeNhCflVwT4n48H80sQ',
      qi: 'FIkvbvndE4xmAOjCbm__xLL4Qr9TOgzFXR843uWtWz0vSjA-_Bgmex6T3DjMH6kWW1xwz1cXdIOhSmi-7uL2xw',
      alg: 'RSA-OAEP-256'
    },
    pkcs8: 'MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBANakvjUGSLm00IzDeCcK8jFXS_F01-qwHsAHji6HtWDMgXdRt3dG_wivcGi5IHu1vigz2N0NUGxufWfLW1o7udCiKSAgWK4NrWdVKpLbTtzdWvZ5My0pRKULTKUsIzipLbS-0-O_FU-K6qr5Ufdj-nRDVhL5JowMZWUmyIpEeAvHAgMBAAECgYEAoqniw8hpYOMYkTSpX905wg7ILMpBv0eNZjXTmIub9ynEi6pQAYK6T9i0tYhmh5op68mu9YbbhfEN9JT2PCG7JG9ovZNoygpyBR2ESDibOCukmlfgXzmYKIQsYzi1NglL9Q_5BK-4xqd9XbtYVxPgE97EyMo33vVmUu5kO729siECQQD5RlsF8hGs3cS0sZlsmV6wkCaYouyoAnvzuwAzGeS4IpVM1Uo-XHgH9h4U7MDcDmP3a4ae07NYv8ygnkGawng_AkEA3G8z1xUCO9KTV1g20TFBz-fHrd8Bid6Y0VxkV0R8k5VU-CIPB8Va2Ffui1t6sSl0ScTCG77TZX0fGkRATXVKeQJAQstobpJrzA9suyJvwxrhtZway4G0ulxYDHpKVmcU04ZozTrF9ynd-_wmGWNLVmwAu3azjvGZOCnE0jE10RtVDwJBAIiC7W3DevClRc4PuVLv2Dvy5DwPIRrKmYT-XL2WkjergUVxgjFjzRCx0-7FpkPU0klk6njYQn5VcE-J-PB_NLECQBSJL2753ROMZgDowm5v_8Sy-EK_UzoMxV0fON7lrVs9L0owPvwYJnsek9w4zB-pFltccM9XF3SDoUpovu7i9sc',
    spki: 'MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDWpL41Bki5tNCMw3gnCvIxV0vxdNfqsB7AB44uh7VgzIF3Ubd3Rv8Ir3BouSB7tb4oM9jdDVBsbn1ny1taO7nQoikgIFiuDa1nVSqS207c3Vr2eTMtKUSlC0ylLCM4qS20vtPjvxVPiuqq-VH3Y_p0Q1YS-SaMDGVlJsiKRHgLxwIDAQAB',
    made: 'rItP-MUFY9q17y_Un4JxclHLTzPsGEl5_9LzdlAfW_pQ2UBMNNsMQsG1hf3fEajUNHGehA5i2NuoiuLtit4fF2X7yM7dVnJFX9tAz1MfoHLeB19wITGdlls8EBunbBnWWvrNQLz5MMwJ8_f3fCaQ40ShM_Un2reoJvdvpiWXYbk'
  },
  'P-256': {
    algorithm: {
      name: 'ECDSA',
      namedCurve: 'P-256'
    },
    operation: {
      name: 'ECDSA',
      hash: 'SHA-256'
    },
    jwk: {
      kty: 'EC',
      x: '-IOwjJReGG2yK7bX--oJrB4eKF7SHKION2c5YFLsrBY',
      y: 'XsKs_-mR7HYdBU9MS-cMvGoqAxqK-11OfBIBtBlPr6I',
      crv: 'P-256',
      d: 'v5m25VPiXtJlM8vbCRft6lTvI8WS8UyAUawiLgJe9xg'
    },
    pkcs8: 'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgv5m25VPiXtJlM8vbCRft6lTvI8WS8UyAUawiLgJe9xihRANCAAT4g7CMlF4YbbIrttf76gmsHh4oXtIcog43ZzlgUuysFl7CrP_pkex2HQVPTEvnDLxqKgMaivtdTnwSAbQZT6-i',
    spki: 'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE-IOwjJReGG2yK7bX--oJrB4eKF7SHKION2c5YFLsrBZewqz_6ZHsdh0FT0xL5wy8aioDGor7XU58EgG0GU-vog',
    made: 'nRgVLgKkX3qGC5B3WIbKQCRjGvOb4QiOSStGsusv0I_IDEPLU4wqrR6OgyVjw62xNaQQAbD1H32B9ypeZ9QhSA'
  },
  'P-384': {
    algorithm: {
      name: 'ECDSA',
      namedCurve: 'P-384'
    },
    operation: {
      name: 'ECDSA',
      hash: 'SHA-384'
    },
    jwk: {
      kty: 'EC',
      x: 'tF3e1Tw08bOGn4WtHPkxAkAZyU_nOSV6axW--31p1m8Nay6JFxgne9mX4bMW0cTs',
      y: 'lWRx9QfW9C6OQTdcPn8rXozAuLPGa0RaqJAY_-c5iM_5Apt1vGfPlZpbJHUG7-Jr',
      crv: 'P-384',
      d: 'UToWwz0Zn2ZxCzFtx2Mfbbn9i6NAsqWYH6r6WJExeMAm_qZNccRFKmSHrn7O5xXQ'
    },
    pkcs8: 'MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDBROhbDPRmfZnELMW3HYx9tuf2Lo0CypZgfqvpYkTF4wCb-pk1xxEUqZIeufs7nFdChZANiAAS0Xd7VPDTxs4afha0c-TECQBnJT-c5JXprFb77fWnWbw1rLokXGCd72ZfhsxbRxOyVZHH1B9b0Lo5BN1w-fytejMC4s8ZrRFqokBj_5zmIz_kCm3W8Z8-VmlskdQbv4ms',
    spki: 'MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEtF3e1Tw08bOGn4WtHPkxAkAZyU_nOSV6axW--31p1m8Nay6JFxgne9mX4bMW0cTslWRx9QfW9C6OQTdcPn8rXozAuLPGa0RaqJAY_-c5iM_5Apt1vGfPlZpbJHUG7-Jr',
    made: 'gpzYjR2FHY6fbDWsD33piG2070tdM7zU-OamiCCM8PtnliYFQKQbnnHROTHulwqLqBIqkkAx7hxwuuub4vNnNccp79suKRp1NkW9IVKj9e36RQQM7Z2PAzdfnR8H1_Gw'
  },
  'P-521': {
    algorithm: {
      name: 'ECDSA',
      namedCurve: 'P-521'
    },
    operation: {
      name: 'ECDSA',
      hash: 'SHA-512'
    },
    jwk: {
      kty: 'EC',
      x: 'ADU_yxL_RKsUeBBVPwIEb42VTcEHfgfXqwuQx0XyyXPzEpwJGMQ_BYfOHsYY4s7Cn7djw0HVKctCQx97ULz7jsoV',
      y: 'AMnu_OtSLJVWI3qJvDMiRfQdkMXQsO24-GHVFAVyMrLjsT9F2WUiBcv3qM6_ztiddHlmsAERJLYrziJnspkcLRqb',
      crv: 'P-521',
      d: 'AXOqKXASpGyyT6kR3Z3nWKZG188AwFKy8Griv3n4jqbBpCrD0F3xSLSVKMwQN0t9FQ-wraqjREPZ_qHaR93lYFoA'
    },
    pkcs8: 'MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIBc6opcBKkbLJPqRHdnedYpkbXzwDAUrLwauK_efiOpsGkKsPQXfFItJUozBA3S30VD7CtqqNEQ9n-odpH3eVgWgChgYkDgYYABAA1P8sS_0SrFHgQVT8CBG-NlU3BB34H16sLkMdF8slz8xKcCRjEPwWHzh7GGOLOwp-3Y8NB1SnLQkMfe1C8-47KFQDJ7vzrUiyVViN6ibwzIkX0HZDF0LDtuPhh1RQFcjKy47E_RdllIgXL96jOv87YnXR5ZrABESS2K84iZ7KZHC0amw',
    spki: 'MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQANT_LEv9EqxR4EFU_AgRvjZVNwQd-B9erC5DHRfLJc_MSnAkYxD8Fh84exhjizsKft2PDQdUpy0JDH3tQvPuOyhUAye7861IslVYjeom8MyJF9B2QxdCw7bj4YdUUBXIysuOxP0XZZSIFy_eozr_O2J10eWawAREktivOImeymRwtGps',
    made: 'AZr-LFdFFcJcf0ODXvzB-kB8RLxMXxAFw7HnCHXxVlFIHdYY14SI7_2HWL_hib7V1FpAJgFNu8SS0-RbCCOtjrPuADZE6vJ7P0PPxdhnU_xyL2-eQRHbT3-apl5xJ6Q_GtHSaWATVprTULETEnb0NvQHrYnzbO9FkmrSHvTSEH-OjB2A'
  },
  Ed25519: {
    algorithm: {
      name: 'Ed25519'
    },
    operation: {
      name: 'Ed25519'
    },
    jwk: {
      crv: 'Ed25519',
      d: 'C8yv4yc5vSp8SazGx24BekB5n7raeWQwtA6idq2rTLw',
      x: 'iHTxeoCLQBfYlJ4Ze1ZSIsO-Ggj--FNWIhI1Pe6PtTQ',
      kty: 'OKP',
      alg: 'Ed25519'
    },
    pkcs8: 'MC4CAQAwBQYDK2VwBCIEIAvMr-MnOb0qfEmsxsduAXpAeZ-62nlkMLQOonatq0y8',
    spki: 'MCowBQYDK2VwAyEAiHTxeoCLQBfYlJ4Ze1ZSIsO-Ggj--FNWIhI1Pe6PtTQ',
    made: 'H6gkhXhEzueFaz0c-z3JVhujtgSgM8FXDpt5GUqSvIAqxbWwUh3WKZYwOPkmdoruB9imCm6dMDqOTgJqVTQfCA'
  },
  ECDH: {
    algorithm: {
      name: 'ECDH',
      namedCurve: 'P-256'
    },
    jwk: {
      kty: 'EC',
      x: 'ecHSTsEASA2WOGIwT4azcp56Vc7yDCItf1LILmI5wXM',
      y: 'z0q02P8lnOBc2zv7DIakpYHn85RyKWR_l_2JVwrvqOk',
      crv: 'P-256',
      d: 'Tr-kPp6D5FT-L95dh0Bbtlg0vezImSqNp_AI_X12MH8'
    },
    raw: 'BHHceb-LC4e1i4KG-j_2LKO5G95ENEy4yqomX_gDEk_XejI37ornqUgwQ7cgG5ErPCWcCmKoQagCGDB8neUdfyY',
    made: 'yOXTkkg2v42sqmUdFtbnhbJ0oO3ecg8aD08fe1XRwzY'
  },
  X25519: {
    algorithm: {
      name: 'X25519'
    },
    jwk: {
      crv: 'X25519',
      d: 'yFeXWmUWZApgh5KXc6KGokH4KO0pbyOUjmV0-QjsKX0',
      x: 'PboDET0hPJ0J5VylkZThlaxQ14AtPV5Ju10q0EwWRGs',
      kty: 'OKP'
    },
    raw: 'qEgzGRU0Ht3zK1SU1Np-wIj9NU3XQTy4X9ikJEvra2A',
    made: 'RbUOcG9kmzidgxLKZvOeDGv7IADvBU41uqp8gPCa1Qw'
  }
};

export const secrets = {
  gcm128: '-wPLqgB6hCA76te98HfBEEgi02gk1auq',
  gcm256short: 'bgvCLVPGS8tqgKYpqHHS4_rEUqI',
  cbc: 'Sq6Fbl6jtLy55gV3DnVATQ',
  ctr: '6ZnkHUyncNpThxF7XY9X7pFljXfrqe9OKk1WGcbBhrfQTPPdr-hZtA',
  ctr5: '6ZnkHUyncNpThxF7XY9X7pcDuz7HXLJck_eK65gczUmn3LUSJUuwUQ',
  kw: 'jMS_7Kip8vOMiyg5Lx6PSz5aX9LyC9aI',
  hmac: 'cdXVMkZk3TH74iT-luo7QC78j_tftV3D_e1wCe_5yqiaw6262NC-sh3g07MRockIQPcdxcQPvvmvpzl_N5Tl8g',
  hkdf: 'AIOcXUmIbUudObISX1muyP_XpgCpy0b9XgfHnfIIFIfYKGGo-HOEjdKzT6TPZ3jYYUA',
  hkdfEmpty: '63DwHe3pr6-kSe7hsShlBOH2I4iz991PlWaXsOgo_hg',
  pbkdf2: 'LlymtUKGziffWH6m_LVwMrR5Du-EBNdZrxKori9eL84'
};

export const digests = {
  'SHA-1': 'khK46C-nUfpmSMwv563ZNr3hhQc',
  'SHA-256': '0VgNLffyS29eKoYeuikYdVw6cka3BogX40nYrcZqhWY',
  'SHA-384': 'xvohAB41_IFPCdezqk9owuK4aIvCZSMo-QNPoQVDhJ96sOYcnAf5Ojyq5T1w-sbt',
  'SHA-512': 'L3aszg3_4qXrjCzHN_6TQlikMEiQlCw3ITOhKAsDf-OYRo0VEUvDrVKFDa5s4LLuddZDKTxhd_qM-krZpKDQuw'
};

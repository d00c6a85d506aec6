// faults_soap.test.mjs - the same faults over soap.php.
process.env.UPSTREAM_KIND = 'smsc-soap';
await import('./faults.test.mjs');

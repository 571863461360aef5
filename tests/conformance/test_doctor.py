"""`parley doctor --providers`: says of every provider whether its key and a connection work."""

import pytest

from conformance import candidates
from conformance.candidates import Candidate
from contract.servers.base import ContractServer, Fault
from parley.messages import Retry, Spec
from parley.providers import Provider, ProviderError
from parley.trial import try_out

pytestmark = pytest.mark.parametrize("candidate", candidates.CANDIDATES, ids=str)


async def test_doctor(
    candidate: Candidate, server: ContractServer | None, kind: type[Provider]
) -> None:
    own = server.settings() if server else {}
    spec = Spec(provider=candidate.name, settings={**own, **candidate.settings})
    assert await try_out(candidate.stage, spec) > 0
    if server is not None:
        server.fault = Fault.UNAUTHORIZED
        with pytest.raises(ProviderError) as refused:
            await try_out(candidate.stage, spec)
        assert refused.value.retry is Retry.NEVER
        assert server.key not in str(refused.value)

import asyncio
import pytest
from testkit import until
@pytest.mark.parametrize("i", range(4))
def test_pg(postgres_server, i):
    print(postgres_server)
def test_rmq(rabbitmq_url): print(rabbitmq_url)
def test_rmq2(rabbitmq_url): print(rabbitmq_url)
async def test_own(own_postgres):
    own_postgres.kill(); await asyncio.to_thread(own_postgres.start)
    await until(own_postgres.is_alive)
